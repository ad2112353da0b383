#include "kernels/machine_limits.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <thread>

namespace pingti::kernels {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRounds = 5;
constexpr double kArithmeticSeconds = 0.02;  // of one round, at least
constexpr size_t kPage = 4096;

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

// Operations a second of all workers, best of kRounds; 0 without a kernel.
template <typename Kernel>
double BestRate(ThreadPool& pool, Kernel kernel, int64_t ops_per_round) {
  if (kernel == nullptr) return 0;
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
    best = std::max(best, static_cast<double>(rounds * ops_per_round) * pool.size() / seconds);
    ++i;
  }
  return best;
}

// 0 where the memory cannot be had.
double BestReadRate(ThreadPool& pool, size_t bytes) {
  const auto workers = static_cast<size_t>(pool.size());
  const size_t share = bytes / workers / kPage * kPage;
  bytes = share * workers;
  void* data = bytes == 0 ? MAP_FAILED
                          : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return 0;
  madvise(data, bytes, MADV_HUGEPAGE);
  auto* cells = static_cast<std::byte*>(data);
  pool.Run([&](int worker) { std::memset(cells + share * static_cast<size_t>(worker), worker + 1, share); });
  double best = 0;
  for (int i = 0; i < kRounds; ++i) best = std::max(best, ReadRate(pool, cells, bytes));
  munmap(data, bytes);
  return best;
}

}  // namespace

double ReadRate(ThreadPool& pool, const std::byte* data, size_t bytes) {
  const size_t share = bytes / static_cast<size_t>(pool.size());
  std::atomic<uint64_t> sink{0};
  const Clock::time_point begin = Clock::now();
  pool.Run([&](int worker) { sink += ReadAll(data + share * static_cast<size_t>(worker), share); });
  return static_cast<double>(bytes) / SecondsSince(begin);
}

MachineLimits MeasureMachineLimits(int threads, const KernelTable& table, size_t memory_bytes) {
  MachineLimits limits;
  // A thread of its own: pinning the caller would be inherited by the threads that it starts later.
  std::thread([&] {
    ThreadPool pool({.threads = threads});
    pool.PinCaller();
    const ProbeKernels& probe = table.probe;
    limits.memory_bytes_per_second = BestReadRate(pool, memory_bytes);
    limits.f32_flops = BestRate(pool, probe.multiply_add_f32, probe.f32_flops_per_round);
    limits.bf16_flops = BestRate(pool, probe.dot_bf16, probe.bf16_flops_per_round);
    limits.i8_ops = BestRate(pool, probe.dot_i8, probe.i8_ops_per_round);
  }).join();
  return limits;
}

}  // namespace pingti::kernels
