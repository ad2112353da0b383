#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/fill.h"
#include "kernels/half.h"

namespace pingti::kernels::avx2 {
namespace {

#include "kernels/isa/avx2/vec.h"

#include "kernels/generic/probe.inl"

// Bytes to sums of 32 bits in three instructions, as products without VNNI are made.
using Codes = __m256i;
inline constexpr int kCodeBytes = 32;
inline Codes SetCodes(int8_t x) { return _mm256_set1_epi8(x); }
inline Codes AddCodes(Codes a, Codes b) { return _mm256_add_epi32(a, b); }
inline int32_t FirstCode(Codes a) { return _mm256_cvtsi256_si32(a); }
inline Codes DotCodes(Codes sums, Codes left, Codes right) {
  const Codes pairs = _mm256_maddubs_epi16(left, right);
  return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#include "kernels/generic/probe_codes.inl"

}  // namespace

void FillProbe(ProbeKernels& kernels) {
  FillProbeF32(kernels);
  FillProbeI8(kernels);
}

}  // namespace pingti::kernels::avx2
