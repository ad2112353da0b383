#include <immintrin.h>

#include <cstdint>

#include "kernels/fill.h"

namespace pingti::kernels::avx512_bf16 {
namespace {

constexpr int kChains = 12;    // as in probe.inl
constexpr int kProducts = 32;  // in a vector

inline __m512bh Repeat(uint16_t bits) noexcept {
  return reinterpret_cast<__m512bh>(_mm512_set1_epi16(static_cast<int16_t>(bits)));
}

float ProbeDotBf16(int64_t rounds) noexcept {
  __m512 sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  __m512i left = _mm512_set1_epi16(0x3F80);  // 1
  const __m512bh right = Repeat(0xBF80);     // -1
  for (int64_t round = 0; round < rounds; ++round) {
    asm volatile("" : "+v"(left));  // else products of constants are made once
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], reinterpret_cast<__m512bh>(left), right);
  }
  for (int i = 1; i < kChains; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_reduce_add_ps(sums[0]);
}

}  // namespace

void FillProbe(ProbeKernels& kernels) {
  kernels.dot_bf16 = ProbeDotBf16;
  kernels.bf16_flops_per_round = int64_t{kChains} * kProducts * 2;
}

}  // namespace pingti::kernels::avx512_bf16
