// TensorView: a named tensor of a weight file, borrowed (the file's mapping owns the bytes).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "tensor/dtype.h"

namespace pingti {

struct TensorView {
  std::string name;                       // as in the file: "blk.0.attn_q.weight"
  DType type = DType::kF32;
  int dims = 0;                           // 1..4
  std::array<int64_t, 4> shape = {1, 1, 1, 1};  // row-major: shape[dims - 1] is contiguous
  std::span<const std::byte> bytes;       // exactly the tensor's bytes

  // A matrix's outputs and inputs: [rows, cols], y = W x. A vector has one row.
  int64_t cols() const { return shape[static_cast<size_t>(dims - 1)]; }
  int64_t rows() const {
    int64_t rows = 1;
    for (int i = 0; i + 1 < dims; ++i) rows *= shape[static_cast<size_t>(i)];
    return rows;
  }
};

}  // namespace pingti
