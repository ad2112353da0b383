// Limits: what this machine can do at best, measured now: memory reads, f32 and int8 arithmetic
// over all threads.
#pragma once

#include "base/thread_pool.h"
#include "kernels/table.h"

namespace pingti::apps {

struct Limits {
  double memory_bytes_per_second = 0;  // read by all threads together
  double f32_flops = 0;                // a second; a multiply-add counts as two
  double i8_ops = 0;                   // a second; 0: this table has no int8 products
};

// Takes about a third of a second. The figures are the best of a few rounds: others on the machine
// can only lower them.
Limits MeasureLimits(ThreadPool& pool, const kernels::KernelTable& table);

// One round of the memory read alone, after the first call has made the buffer: bytes a second.
class MemoryProbe final {
 public:
  explicit MemoryProbe(ThreadPool& pool);
  MemoryProbe(const MemoryProbe&) = delete;
  MemoryProbe& operator=(const MemoryProbe&) = delete;
  ~MemoryProbe();
  double Run();

 private:
  ThreadPool& pool_;
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace pingti::apps
