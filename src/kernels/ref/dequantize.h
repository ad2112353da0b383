// What the bits of each weight type mean: file blocks to F32. The definition of correct for every packed layout and
// kernel, and the lookup of token embeddings. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace pingti::kernels {

// out[i] = value i of `blocks`; `count` is a multiple of the type's block. At most one F32 rounding a value.
void Dequantize(DType type, const std::byte* blocks, size_t count, float* out);

// The 6-bit scales and minimums of group g (0..7) in a Q4_K or Q5_K block's 12 bytes.
struct ScaleAndMin {
  uint8_t scale;
  uint8_t min;
};
ScaleAndMin UnpackScaleAndMin(const uint8_t* scales12, int g);

// The 6-bit scale of 16-value group g (0..15) in a Q3_K block's 12 bytes, -32..31.
int UnpackQ3Scale(const uint8_t* scales12, int g);

// The 16 values that IQ4_NL and IQ4_XS codes stand for.
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};

}  // namespace pingti::kernels
