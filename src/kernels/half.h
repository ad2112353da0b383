// 16-bit floats in plain integer arithmetic: the definition that the vector instructions of every level agree with.
// Functions are static, because per-ISA files include this (see fill.h); everything else takes tensor/float16.h,
// against which the tests hold this. Thread-safe.
#pragma once

#include <cstdint>

namespace pingti::kernels {

// IEEE binary16, exact.
static inline float F16ToF32(uint16_t half) {
  const uint32_t sign = (half & 0x8000U) << 16;
  const uint32_t magnitude = (half & 0x7FFFU) << 13;
  if (magnitude >= 0x0F800000U) {  // infinity or NaN: widen the exponent by hand; a NaN becomes quiet
    const uint32_t quiet = magnitude > 0x0F800000U ? 0x00400000U : 0;
    return __builtin_bit_cast(float, sign | 0x7F800000U | magnitude | quiet);
  }
  // The exponent's bias differs by 112; the product also normalises subnormal halves.
  const float value = __builtin_bit_cast(float, magnitude) * 0x1p112F;
  return __builtin_bit_cast(float, sign | __builtin_bit_cast(uint32_t, value));
}

// Rounds to nearest, ties to even; beyond 65504 to infinity.
static inline uint16_t F32ToF16(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t sign = (bits >> 16) & 0x8000U;
  uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) {
    return static_cast<uint16_t>(sign | 0x7E00U | ((magnitude >> 13) & 0x3FFU));
  }
  if (magnitude >= 0x477FF000U) return static_cast<uint16_t>(sign | 0x7C00U);
  if (magnitude < 0x38800000U) {  // below 2^-14: a subnormal half, whose unit is the unit of 0.5F
    const float shifted = __builtin_bit_cast(float, magnitude) + 0.5F;
    return static_cast<uint16_t>(sign | (__builtin_bit_cast(uint32_t, shifted) - 0x3F000000U));
  }
  magnitude += 0xFFFU + ((magnitude >> 13) & 1U);
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000U) >> 13));
}

static inline float Bf16ToF32(uint16_t value) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(value) << 16);
}

// Rounds to nearest, ties to even; a NaN becomes quiet.
static inline uint16_t F32ToBf16(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<uint16_t>((bits >> 16) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace pingti::kernels
