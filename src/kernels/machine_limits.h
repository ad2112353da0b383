// MachineLimits: what this machine can do at best, measured now: the figures that a kernel's are shares of. They move
// with the machine's neighbours, so they are read in the same run.
#pragma once

#include <cstddef>

#include "base/thread_pool.h"
#include "kernels/table.h"

namespace pingti::kernels {

struct MachineLimits {
  double memory_bytes_per_second = 0;  // read by all threads together
  double f32_flops = 0;                // a second, all threads; a multiply-add counts as two
  double bf16_flops = 0;               // 0: this table has no bf16 products
  double i8_ops = 0;                   // 0: this table has no int8 products
};

// With `threads` pinned threads of its own (0: one for each CPU) and a buffer of at most `memory_bytes` (1 GiB is beyond
// any cache; half of what is free otherwise). About half a second. Each figure is the best of a few rounds: others on the
// machine can only lower it.
MachineLimits MeasureMachineLimits(int threads, const KernelTable& table, size_t memory_bytes);

// One streaming read of data [bytes] by all workers, each its own part: bytes a second.
double ReadRate(ThreadPool& pool, const std::byte* data, size_t bytes);

}  // namespace pingti::kernels
