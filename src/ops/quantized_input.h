// QuantizedInput: the activations of one product, quantised once for all the weights that read them. Its memory is the
// Context's scratch, so one is alive at a time.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/matmul.h"
#include "ops/context.h"

namespace pingti::ops {

// Up to so many tokens each worker multiplies one contiguous share of the weights: what it fetches ahead is its own.
inline constexpr int64_t kDecodeColumns = 64;
// Tiles that a worker takes at once in larger products.
inline constexpr size_t kPrefillGrain = 2;

class QuantizedInput final {
 public:
  // How many columns of `cols` inputs a product takes at once: as many as stay in the L2 cache.
  static int64_t BlockColumns(int64_t cols);

  // x: [columns, cols], at most BlockColumns. `terms`: what the weights' types need.
  void Quantize(Context& ctx, Matrix x, std::span<const kernels::TermSpec> terms);

  kernels::QuantizedColumns Columns(kernels::TermSpec term) const;

 private:
  static constexpr size_t kTermsMax = 8;

  int64_t columns_ = 0;
  int64_t chunks_ = 0;
  int8_t* codes_ = nullptr;
  float* scales_ = nullptr;
  int16_t* sums_ = nullptr;
  kernels::TermSpec specs_[kTermsMax];
  void* terms_[kTermsMax] = {};
  size_t term_count_ = 0;
};

}  // namespace pingti::ops
