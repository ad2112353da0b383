// Block layouts: docs/gguf.md and ggml's type list; offsets are bytes within a block.
#include "kernels/ref/dequantize.h"

#include <cstring>

#include "base/check.h"
#include "tensor/float16.h"

namespace pingti::kernels {
namespace {

constexpr size_t kSmall = 32;   // values of a legacy block
constexpr size_t kSuper = 256;  // values of a K block

uint16_t ReadU16(const uint8_t* p) {
  uint16_t v = 0;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
float ReadF16(const uint8_t* p) { return F16ToF32(ReadU16(p)); }
uint32_t ReadU32(const uint8_t* p) {
  uint32_t v = 0;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

// Code i (0..31) of 16 bytes whose low nibbles are the first 16 values.
int Nibble(const uint8_t* bytes, size_t i) { return i < 16 ? bytes[i] & 15 : bytes[i - 16] >> 4; }

// Q4_0: d f16, 16 nibble pairs. x = d * (q - 8)
void Q4_0(const uint8_t* b, float* out) {
  const float d = ReadF16(b);
  for (size_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(Nibble(b + 2, i) - 8);
}

// Q4_1: d f16, m f16, 16 nibble pairs. x = d * q + m
void Q4_1(const uint8_t* b, float* out) {
  const float d = ReadF16(b);
  const float m = ReadF16(b + 2);
  for (size_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(Nibble(b + 4, i)) + m;
}

// Q5_0: d f16, 32 fifth bits, 16 nibble pairs. x = d * (q - 16)
void Q5_0(const uint8_t* b, float* out) {
  const float d = ReadF16(b);
  const uint32_t high = ReadU32(b + 2);
  for (size_t i = 0; i < kSmall; ++i) {
    const int q = Nibble(b + 6, i) | static_cast<int>(((high >> i) & 1U) << 4);
    out[i] = d * static_cast<float>(q - 16);
  }
}

// Q5_1: d f16, m f16, 32 fifth bits, 16 nibble pairs. x = d * q + m
void Q5_1(const uint8_t* b, float* out) {
  const float d = ReadF16(b);
  const float m = ReadF16(b + 2);
  const uint32_t high = ReadU32(b + 4);
  for (size_t i = 0; i < kSmall; ++i) {
    const int q = Nibble(b + 8, i) | static_cast<int>(((high >> i) & 1U) << 4);
    out[i] = d * static_cast<float>(q) + m;
  }
}

// Q8_0: d f16, 32 int8. x = d * q
void Q8_0(const uint8_t* b, float* out) {
  const float d = ReadF16(b);
  for (size_t i = 0; i < kSmall; ++i) {
    out[i] = d * static_cast<float>(static_cast<int8_t>(b[2 + i]));
  }
}

// Q2_K: 16 bytes (low nibble scale, high nibble minimum) for groups of 16, 64 bytes of 2-bit codes, d f16, dmin f16.
// Value i: byte 32 * (i / 128) + i % 32, bits 2 * (i % 128 / 32). x = d * scale * q - dmin * min
void Q2_K(const uint8_t* b, float* out) {
  const float d = ReadF16(b + 80);
  const float dmin = ReadF16(b + 82);
  for (size_t i = 0; i < kSuper; ++i) {
    const int q = (b[16 + 32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3;
    const uint8_t scale = b[i / 16];
    out[i] = d * static_cast<float>(scale & 15) * static_cast<float>(q) -
             dmin * static_cast<float>(scale >> 4);
  }
}

// Q3_K: 32 bytes of third bits (byte i % 32, bit i / 32), 64 bytes of 2-bit codes as in Q2_K, 12 bytes of 6-bit scales,
// d f16. x = d * scale * (q - 4)
void Q3_K(const uint8_t* b, float* out) {
  const float d = ReadF16(b + 108);
  for (size_t i = 0; i < kSuper; ++i) {
    const int low = (b[32 + 32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3;
    const int high = (b[i % 32] >> (i / 32)) & 1;
    const int scale = UnpackQ3Scale(b + 96, static_cast<int>(i / 16));
    out[i] = d * static_cast<float>(scale) * static_cast<float>((low | (high << 2)) - 4);
  }
}

// Q4_K: d f16, dmin f16, 12 bytes of 6-bit scales and minimums for groups of 32, 128 bytes: low nibbles of 32 bytes are
// one group, high nibbles the next. x = d * scale * q - dmin * min
void Q4_K(const uint8_t* b, float* out) {
  const float d = ReadF16(b);
  const float dmin = ReadF16(b + 2);
  for (size_t i = 0; i < kSuper; ++i) {
    const uint8_t byte = b[16 + 32 * (i / 64) + i % 32];
    const int q = i % 64 < 32 ? byte & 15 : byte >> 4;
    const ScaleAndMin s = UnpackScaleAndMin(b + 4, static_cast<int>(i / 32));
    out[i] = d * static_cast<float>(s.scale) * static_cast<float>(q) -
             dmin * static_cast<float>(s.min);
  }
}

// Q5_K: as Q4_K with 32 bytes of fifth bits (byte i % 32, bit i / 32) before the nibbles.
void Q5_K(const uint8_t* b, float* out) {
  const float d = ReadF16(b);
  const float dmin = ReadF16(b + 2);
  for (size_t i = 0; i < kSuper; ++i) {
    const uint8_t byte = b[48 + 32 * (i / 64) + i % 32];
    const int low = i % 64 < 32 ? byte & 15 : byte >> 4;
    const int q = low | (((b[16 + i % 32] >> (i / 32)) & 1) << 4);
    const ScaleAndMin s = UnpackScaleAndMin(b + 4, static_cast<int>(i / 32));
    out[i] = d * static_cast<float>(s.scale) * static_cast<float>(q) -
             dmin * static_cast<float>(s.min);
  }
}

// Q6_K: 128 bytes of low nibbles, 64 bytes of 2-bit highs, 16 int8 scales for groups of 16, d f16. In each half of 128:
// low byte i % 64, high nibble from 64 on; high byte i % 32, bits 2 * (i % 128 / 32). x = d * scale * (q - 32)
void Q6_K(const uint8_t* b, float* out) {
  const float d = ReadF16(b + 208);
  for (size_t i = 0; i < kSuper; ++i) {
    const size_t half = i / 128;
    const size_t j = i % 128;
    const uint8_t byte = b[64 * half + j % 64];
    const int low = j < 64 ? byte & 15 : byte >> 4;
    const int high = (b[128 + 32 * half + j % 32] >> (2 * (j / 32))) & 3;
    const auto scale = static_cast<int8_t>(b[192 + i / 16]);
    out[i] = d * static_cast<float>(scale) * static_cast<float>((low | (high << 4)) - 32);
  }
}

// IQ4_NL: d f16, 16 nibble pairs. x = d * table[q]
void IQ4_NL(const uint8_t* b, float* out) {
  const float d = ReadF16(b);
  for (size_t i = 0; i < kSmall; ++i) {
    out[i] = d * static_cast<float>(kIq4Values[Nibble(b + 2, i)]);
  }
}

// IQ4_XS: d f16, 8 2-bit high scale parts (u16), 8 nibbles of low scale parts, 8 x 16 nibble pairs.
// x = d * (scale - 32) * table[q]
void IQ4_XS(const uint8_t* b, float* out) {
  const float d = ReadF16(b);
  const uint16_t high = ReadU16(b + 2);
  for (size_t g = 0; g < 8; ++g) {
    const int low = (b[4 + g / 2] >> (4 * (g % 2))) & 15;
    const int scale = (low | (((high >> (2 * g)) & 3) << 4)) - 32;
    for (size_t i = 0; i < kSmall; ++i) {
      out[32 * g + i] = d * static_cast<float>(scale) *
                        static_cast<float>(kIq4Values[Nibble(b + 8 + 16 * g, i)]);
    }
  }
}

void F32(const uint8_t* b, float* out) { std::memcpy(out, b, sizeof(float)); }
void F16(const uint8_t* b, float* out) { *out = ReadF16(b); }
void BF16(const uint8_t* b, float* out) { *out = Bf16ToF32(ReadU16(b)); }

using BlockFunction = void (*)(const uint8_t* block, float* out);
constexpr BlockFunction kBlockFunctions[kDTypeCount] = {F32,  F16,  BF16, Q4_0, Q4_1,
                                                        Q5_0, Q5_1, Q8_0, Q2_K, Q3_K,
                                                        Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS};

}  // namespace

ScaleAndMin UnpackScaleAndMin(const uint8_t* s, int g) {
  // Groups 0..3: the low six bits of bytes g and g + 4. Groups 4..7: nibbles of byte g + 4, with the upper two bits of
  // bytes g - 4 and g on top.
  if (g < 4) return {static_cast<uint8_t>(s[g] & 63), static_cast<uint8_t>(s[g + 4] & 63)};
  return {static_cast<uint8_t>((s[g + 4] & 15) | ((s[g - 4] >> 6) << 4)),
          static_cast<uint8_t>((s[g + 4] >> 4) | ((s[g] >> 6) << 4))};
}

int UnpackQ3Scale(const uint8_t* s, int g) {
  // Nibbles: groups 0..7 low, 8..15 high, of bytes g % 8; upper two bits: byte 8 + g % 4, bits 2 * (g / 4).
  const int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4;
  const int high = (s[8 + g % 4] >> (2 * (g / 4))) & 3;
  return (low | (high << 4)) - 32;
}

void Dequantize(DType type, const std::byte* blocks, size_t count, float* out) {
  const DTypeInfo& info = Info(type);
  PT_CHECK(count % info.block_values == 0, "whole blocks are dequantised");
  const BlockFunction block_function = kBlockFunctions[static_cast<size_t>(type)];
  const auto* block = reinterpret_cast<const uint8_t*>(blocks);
  for (size_t i = 0; i < count; i += info.block_values, block += info.block_bytes) {
    block_function(block, out + i);
  }
}

}  // namespace pingti::kernels
