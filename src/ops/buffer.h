// Buffer: memory for activations, on the device of a Context. Allocated once by a model; pages that
// no batch has touched cost nothing. Move-only; used by the engine's thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned_buffer.h"
#include "ops/context.h"

namespace pingti::ops {

class Buffer final {
 public:
  Buffer() = default;
  // [rows_max, cols] floats; 64-byte aligned rows.
  static Buffer Create(Context& ctx, int64_t rows_max, int64_t cols);

  // The first `rows` rows.
  Matrix Rows(int64_t rows) const;

 private:
  AlignedBuffer data_;
  int64_t rows_max_ = 0;
  int64_t cols_ = 0;
  int64_t stride_ = 0;
};

}  // namespace pingti::ops
