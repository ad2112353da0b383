#include "bench/kernels/machine_limits.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "kernels/table.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pingti::bench {
namespace {

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

volatile uint64_t sink;

uint64_t SumWords(const uint64_t* words, size_t count) {
  constexpr size_t kStreams = 8;
  uint64_t sums[kStreams] = {};
  for (size_t i = 0; i + kStreams <= count; i += kStreams) {
    __builtin_prefetch(words + i + 512);
    for (size_t s = 0; s < kStreams; ++s) sums[s] ^= words[i + s];
  }
  uint64_t sum = 0;
  for (const uint64_t s : sums) sum ^= s;
  return sum;
}

#if defined(__x86_64__)

constexpr int kChains = 12;  // independent sums: enough to hide the latency
constexpr int64_t kTurns = 2'000'000;

__attribute__((target("avx512f,avx512vnni"))) double DotsAvx512() {
  __m512i sums[kChains];
  __m512i a = _mm512_set1_epi8(3);
  const __m512i b = _mm512_set1_epi8(5);
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (int64_t i = 0; i < kTurns; ++i) {
    __asm__ volatile("" : "+v"(a));
    for (__m512i& sum : sums) sum = _mm512_dpbusd_epi32(sum, a, b);
  }
  for (int i = 1; i < kChains; ++i) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
  sink = static_cast<uint64_t>(_mm512_reduce_add_epi32(sums[0]));
  return static_cast<double>(kTurns) * kChains * 128;
}

__attribute__((target("avx2"))) double DotsAvx2() {
  __m256i sums[kChains];
  __m256i a = _mm256_set1_epi8(3);
  const __m256i b = _mm256_set1_epi8(5);
  const __m256i ones = _mm256_set1_epi16(1);
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (int64_t i = 0; i < kTurns; ++i) {
    __asm__ volatile("" : "+x"(a));
    for (__m256i& sum : sums) {
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
    }
  }
  for (int i = 1; i < kChains; ++i) sums[0] = _mm256_add_epi32(sums[0], sums[i]);
  sink = static_cast<uint64_t>(_mm256_extract_epi64(sums[0], 0));
  return static_cast<double>(kTurns) * kChains * 64;
}

double (*ChooseDots())() {
  const auto table = kernels::ProcessTable();
  if (!table.ok()) return nullptr;
  const kernels::IsaLevel level = (*table)->level;
  if (level >= kernels::IsaLevel::kAvx512Vnni) return DotsAvx512;
  if (level >= kernels::IsaLevel::kAvx2) return DotsAvx2;
  return nullptr;
}

#else

double (*ChooseDots())() { return nullptr; }

#endif

}  // namespace

double ReadBandwidth(ThreadPool& pool, const void* data, size_t bytes, int repeats) {
  const auto* words = static_cast<const uint64_t*>(data);
  const size_t share = bytes / sizeof(uint64_t) / static_cast<size_t>(pool.size());
  double best = 0;
  for (int i = 0; i < repeats; ++i) {
    const double begin = Seconds();
    pool.Run([&](int worker) { sink = SumWords(words + static_cast<size_t>(worker) * share, share); });
    best = std::max(best, static_cast<double>(bytes) / (Seconds() - begin));
  }
  return best;
}

double Int8Peak(ThreadPool& pool) {
  double (*const dots)() = ChooseDots();
  if (dots == nullptr) return 0;
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const double begin = Seconds();
    double operations = 0;
    pool.Run([&](int worker) {
      const double done = dots();
      if (worker == 0) operations = done;
    });
    best = std::max(best, operations * pool.size() / (Seconds() - begin));
  }
  return best;
}

}  // namespace pingti::bench
