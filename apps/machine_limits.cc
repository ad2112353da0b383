#include "machine_limits.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "machine.h"

namespace pingti::apps {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBufferBytesMax = size_t{1} << 30;  // larger than any cache here
constexpr size_t kBufferBytesMin = size_t{64} << 20;
constexpr int kRounds = 5;
constexpr double kArithmeticSeconds = 0.02;  // of one round

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Reads every byte once, eight streams of 64 bits that the compiler may make vectors of.
uint64_t ReadAll(const std::byte* data, size_t bytes) {
  constexpr size_t kStep = 64;
  uint64_t sums[kStep / sizeof(uint64_t)] = {};
  for (size_t at = 0; at + kStep <= bytes; at += kStep) {
    uint64_t words[kStep / sizeof(uint64_t)];
    std::memcpy(words, data + at, kStep);
    for (size_t i = 0; i < std::size(words); ++i) sums[i] += words[i];
  }
  uint64_t sum = 0;
  for (const uint64_t s : sums) sum += s;
  return sum;
}

// Operations a second of all threads: best of kRounds.
template <typename Kernel>
double BestRate(ThreadPool& pool, Kernel kernel, int64_t ops_per_round) {
  int64_t rounds = 1 << 14;
  double best = 0;
  std::atomic<int64_t> sink{0};
  for (int i = 0; i < kRounds;) {
    const Clock::time_point begin = Clock::now();
    pool.Run([&](int) { sink += static_cast<int64_t>(kernel(rounds)); });
    const double seconds = SecondsSince(begin);
    if (seconds < kArithmeticSeconds) {
      rounds *= 2;
      continue;
    }
    best = std::max(best, static_cast<double>(rounds) * static_cast<double>(ops_per_round) *
                              pool.size() / seconds);
    ++i;
  }
  return best;
}

}  // namespace

MemoryProbe::MemoryProbe(ThreadPool& pool) : pool_(pool) {
  const uint64_t room = ReadMemory().available_bytes / 4;
  bytes_ = std::clamp<uint64_t>(room, kBufferBytesMin, kBufferBytesMax) / 4096 /
           static_cast<size_t>(pool.size()) * 4096 * static_cast<size_t>(pool.size());
  void* data = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return;  // Run then says 0
  madvise(data, bytes_, MADV_HUGEPAGE);
  data_ = static_cast<std::byte*>(data);
  const size_t share = bytes_ / static_cast<size_t>(pool.size());
  pool_.Run([&](int worker) {
    std::memset(data_ + share * static_cast<size_t>(worker), worker + 1, share);
  });
}

MemoryProbe::~MemoryProbe() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

double MemoryProbe::Run() {
  if (data_ == nullptr) return 0;
  const size_t share = bytes_ / static_cast<size_t>(pool_.size());
  std::atomic<uint64_t> sink{0};
  const Clock::time_point begin = Clock::now();
  pool_.Run(
      [&](int worker) { sink += ReadAll(data_ + share * static_cast<size_t>(worker), share); });
  return static_cast<double>(bytes_) / SecondsSince(begin);
}

Limits MeasureLimits(ThreadPool& pool, const kernels::KernelTable& table) {
  Limits limits;
  {
    MemoryProbe memory(pool);
    for (int i = 0; i < kRounds; ++i)
      limits.memory_bytes_per_second = std::max(limits.memory_bytes_per_second, memory.Run());
  }
  const kernels::ProbeKernels& probe = table.probe;
  if (probe.multiply_add_f32 != nullptr)
    limits.f32_flops = BestRate(pool, probe.multiply_add_f32, probe.f32_flops_per_round);
  if (probe.dot_i8 != nullptr) limits.i8_ops = BestRate(pool, probe.dot_i8, probe.i8_ops_per_round);
  return limits;
}

}  // namespace pingti::apps
