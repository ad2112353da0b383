#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/fill.h"

namespace pingti::kernels::avx_vnni {
namespace {

#define PINGTI_UNROLL _Pragma("GCC unroll 16")

// One instruction for four products.
using Codes = __m256i;
inline constexpr int kCodeBytes = 32;
inline Codes SetCodes(int8_t x) { return _mm256_set1_epi8(x); }
inline Codes AddCodes(Codes a, Codes b) { return _mm256_add_epi32(a, b); }
inline int32_t FirstCode(Codes a) { return _mm256_cvtsi256_si32(a); }
inline Codes DotCodes(Codes sums, Codes left, Codes right) {
  return _mm256_dpbusd_avx_epi32(sums, left, right);
}

#include "kernels/generic/probe_codes.inl"

}  // namespace

void FillProbe(ProbeKernels& kernels) {
  FillProbeI8(kernels);
}

}  // namespace pingti::kernels::avx_vnni
