// Matrix products of packed weights (tensor/packed.h) with F32 or 8-bit activations. See table.h for the rules.
//
// Quantised weights multiply activations of 8 bits with one F32 scale for each 32 inputs:
//   out[t, r] = sum over groups g of  w_scale[r, g] * x_scale[t, g] * (sum_k w_code[r, k] * x_code[t, k])  [+ minimums]
// The inner sums are integers, so exact. The outer sum is F32, one fused multiply-add for each group in the order of k,
// whatever the number of columns: a column's bits are the same alone and among others.
//
// Levels with a matrix unit also multiply quantised weights as BF16 (multiply_bf16): weights and activations are rounded to
// BF16, sums are F32. Its bits are others than those of the 8-bit products, and closer to the exact ones; again they do not
// depend on the other columns.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace pingti::kernels {

// What a weight type needs from the activations besides codes and scales: with zero points, -zero * (sum of x codes),
// the integer that the dot product starts from; with minimums, x_scale * (sum of x codes). For each 32 or 16 inputs.
enum class TermKind : uint8_t { kNone, kZero32, kZero16, kMin32, kMin16 };
struct TermSpec {
  TermKind kind = TermKind::kNone;
  int32_t zero = 0;

  bool operator==(const TermSpec&) const = default;
};

// The most columns that a product takes at once.
inline constexpr int64_t kColumnsMax = 256;
// Up to so many columns, reading the weights is what takes the time.
inline constexpr int64_t kFewColumns = 4;
// BF16 activations lie in tiles: [groups of 16 columns][cols / 32][16 columns][32 inputs]. Columns past the last of a group
// may hold anything.
inline constexpr int64_t kBf16ColumnsMax = 512;
inline constexpr int64_t kBf16TileColumns = 16;
// Fewer columns than the most are faster where their inputs then stay in the L2 cache.
inline constexpr int64_t kBf16CachedInputs = 512 * 1024;
constexpr int64_t Bf16ColumnsAtOnce(int64_t cols) {
  constexpr int64_t kFewest = kBf16ColumnsMax / 2;
  return cols * kBf16ColumnsMax > kBf16CachedInputs && cols * kFewest <= kBf16CachedInputs ? kFewest : kBf16ColumnsMax;
}
inline constexpr int64_t kBf16TileValues = kBf16TileColumns * 32;

// Activations of n columns (tokens), chunk-major so that a block of columns is contiguous in a chunk; 64-byte aligned.
// Inputs past the last column of x are zero.
struct QuantizedColumns {
  const int8_t* codes = nullptr;   // [chunks, n, 256], -127..127
  const float* scales = nullptr;   // [chunks, n, 8]
  const void* terms = nullptr;     // [chunks, n, 8 or 16] int32_t (zero points) or float (minimums)
};

struct ProductArgs {
  const uint8_t* tiles = nullptr;  // packed; 64-byte aligned
  int64_t rows = 0;                // outputs in these tiles; the last tile may be partly filled
  int64_t cols = 0;                // inputs
  int64_t columns = 0;             // tokens, 1..kColumnsMax (multiply_bf16: kBf16ColumnsMax)
  QuantizedColumns quantized;      // for types with quantized_input
  const uint16_t* bf16 = nullptr;  // tiles of BF16, 64-byte aligned, for multiply_bf16
  const float* x = nullptr;        // [columns, cols], for the others
  int64_t x_stride = 0;
  const float* maybe_bias = nullptr;  // [rows]
  float* out = nullptr;               // [columns, rows]; aliases nothing
  int64_t out_stride = 0;
  bool accumulate = false;            // out += instead of out =
};

// How one weight type is packed and multiplied.
struct WeightKernels {
  const char* layout = nullptr;
  bool quantized_input = false;
  TermSpec term;
  size_t (*tile_bytes)(int64_t cols) = nullptr;
  // One tile from `row_count` (1..16) rows of the file, `row_bytes` apart. `tile` gets tile_bytes(cols) bytes.
  void (*pack_tile)(const std::byte* rows, size_t row_bytes, int row_count, int64_t cols,
                    uint8_t* tile) = nullptr;
  // out = W x + bias, for up to kFewColumns columns and for more. Reads tile_bytes a tile; 2 * rows * cols * columns
  // operations.
  void (*multiply_few)(const ProductArgs& args) noexcept = nullptr;
  void (*multiply_many)(const ProductArgs& args) noexcept = nullptr;
  // The same as BF16, on 400 KiB of stack; nullptr where the level has no matrix unit or the type is not quantised.
  void (*multiply_bf16)(const ProductArgs& args) noexcept = nullptr;
  void Multiply(const ProductArgs& args) const noexcept {
    (args.columns <= kFewColumns ? multiply_few : multiply_many)(args);
  }
};

struct MatMulKernels {
  WeightKernels weights[kDTypeCount];
  // One column of activations. Over each 32 inputs the largest |x| gets the code m, all others x * m / max |x| to the
  // nearest, and a scale that is the least squares fit to these codes. Of m = 127, 126, ... 120 that with the least
  // squared error stays: the inputs fall on its grid by luck, and eight tries have more of it than one. The same bits
  // at every level.
  // Writes chunk c at codes + c * columns * 256, scales + c * columns * 8 and sums + c * columns * 16 (the sum of
  // each 16 codes). Reads 4 bytes an input.
  void (*quantize_column)(const float* x, int64_t cols, int64_t columns, int8_t* codes,
                          float* scales, int16_t* sums) noexcept = nullptr;
  // One column's terms, from what quantize_column wrote; strides as there (8 or 16 terms a chunk).
  void (*make_terms)(TermSpec spec, int64_t chunks, int64_t columns, const int16_t* sums,
                     const float* scales, void* terms) noexcept = nullptr;
};

}  // namespace pingti::kernels
