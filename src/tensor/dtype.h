// DType: the element types of weight files, with the block geometry of the quantised ones (GGUF, docs/gguf.md of
// ggml). Data only: what the bits mean is in kernels/ref/dequantize.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pingti {

enum class DType : uint8_t {
  kF32, kF16, kBF16,
  kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ8_0,
  kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K,
  kIQ4_NL, kIQ4_XS,
};
inline constexpr size_t kDTypeCount = 15;

struct DTypeInfo {
  std::string_view name;   // as GGUF tools print it: "Q4_K"
  uint32_t block_values;   // values in a block
  uint32_t block_bytes;    // bytes of a block
};

const DTypeInfo& Info(DType type) noexcept;

// Bytes of `values` consecutive values of a row; `values` is a multiple of the block's.
inline size_t RowBytes(DType type, size_t values) {
  const DTypeInfo& info = Info(type);
  return values / info.block_values * info.block_bytes;
}

}  // namespace pingti
