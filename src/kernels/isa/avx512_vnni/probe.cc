#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/fill.h"

namespace pingti::kernels::avx512_vnni {
namespace {

#define PINGTI_UNROLL _Pragma("GCC unroll 16")

// One instruction for four products.
using Codes = __m512i;
inline constexpr int kCodeBytes = 64;
inline Codes SetCodes(int8_t x) { return _mm512_set1_epi8(x); }
inline Codes AddCodes(Codes a, Codes b) { return _mm512_add_epi32(a, b); }
inline int32_t FirstCode(Codes a) { return _mm512_cvtsi512_si32(a); }
inline Codes DotCodes(Codes sums, Codes left, Codes right) {
  return _mm512_dpbusd_epi32(sums, left, right);
}

#include "kernels/generic/probe_codes.inl"

}  // namespace

void FillProbe(ProbeKernels& kernels) {
  FillProbeI8(kernels);
}

}  // namespace pingti::kernels::avx512_vnni
