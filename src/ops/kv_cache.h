// KvCache: the memory of keys and values, in blocks of kBlockTokens positions; block tables say which block holds
// which positions of a sequence (PagedAttention, Kwon et al. 2023). This class owns bytes only: who may use which
// block, reference counts and copy-on-write are runtime/block_pool.h's.
//
// The order of values inside a block is the attention kernels' business (docs: kernels/attention.h); a block is
// copied, saved and restored as a whole. Used by the engine's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "ops/context.h"

namespace pingti::ops {

inline constexpr int32_t kBlockTokens = kernels::kKvBlock;  // 32

using kernels::KvType;  // kF16, kBF16, kQ8
std::string_view KvTypeName(KvType type);  // "f16", "bf16", "q8"
Result<KvType> ParseKvType(std::string_view name);

struct KvShape {
  int32_t layers = 0;
  int32_t kv_heads = 0;
  int32_t key_dim = 0;    // per head
  int32_t value_dim = 0;  // per head
};

class KvCache final {
 public:
  // Bytes of one block over all layers.
  static size_t BlockBytes(const KvShape& shape, KvType type);

  // Reserves address space for `blocks`; pages come into memory when a block is first written.
  static Result<std::unique_ptr<KvCache>> Create(const KvShape& shape, KvType type, int32_t blocks);
  ~KvCache();

  const KvShape& shape() const { return shape_; }
  KvType type() const { return type_; }
  int32_t blocks() const { return blocks_; }

  // One layer's keys or values of one block.
  std::byte* Keys(int32_t layer, int32_t block);
  std::byte* Values(int32_t layer, int32_t block);

  // Copies a whole block (copy-on-write); costs BlockBytes of memory traffic each way.
  void CopyBlock(int32_t from, int32_t to);
  // Saves or restores a whole block: `bytes` has BlockBytes bytes.
  void ReadBlock(int32_t block, std::span<std::byte> bytes) const;
  void WriteBlock(int32_t block, std::span<const std::byte> bytes);

 private:
  KvCache() = default;
  KvShape shape_;
  KvType type_ = KvType::kF16;
  int32_t blocks_ = 0;
  size_t key_bytes_ = 0;    // of one layer of one block
  size_t value_bytes_ = 0;
  std::byte* data_ = nullptr;  // [blocks][layers][keys | values]
  size_t data_bytes_ = 0;
};

}  // namespace pingti::ops
