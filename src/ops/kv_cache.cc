#include "ops/kv_cache.h"

#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/check.h"

namespace pingti::ops {
namespace {

constexpr std::array<std::string_view, kernels::kKvTypeCount> kNames = {"f16", "bf16", "q8"};
constexpr size_t kCacheBytesMax = size_t{1} << 46;  // half of the address space of a process
constexpr int32_t kDimMax = 1 << 16;                // larger layers, heads or dims are no model's

Status CheckShape(const KvShape& shape, int32_t blocks) {
  const auto check = [](const char* name, int32_t value, int32_t max) {
    if (value >= 1 && value <= max) return Status::Ok();
    return InvalidArgument(std::string("KV cache: ") + name + " must be 1 to " + std::to_string(max) +
                           ", not " + std::to_string(value));
  };
  PT_TRY(check("layers", shape.layers, kDimMax));
  PT_TRY(check("kv_heads", shape.kv_heads, kDimMax));
  PT_TRY(check("key_dim", shape.key_dim, kDimMax));
  PT_TRY(check("value_dim", shape.value_dim, kDimMax));
  return check("blocks", blocks, INT32_MAX);
}

size_t KeyBytes(const KvShape& shape, KvType type) {
  return static_cast<size_t>(shape.kv_heads) * kernels::KeyHeadBytes(type, shape.key_dim);
}
size_t ValueBytes(const KvShape& shape, KvType type) {
  return static_cast<size_t>(shape.kv_heads) * kernels::ValueHeadBytes(type, shape.value_dim);
}

}  // namespace

std::string_view KvTypeName(KvType type) { return kNames[static_cast<size_t>(type)]; }

Result<KvType> ParseKvType(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<KvType>(i);
  }
  return InvalidArgument("unknown KV cache type \"" + std::string(name) + "\"; known: f16, bf16, q8");
}

size_t KvCache::BlockBytes(const KvShape& shape, KvType type) {
  return static_cast<size_t>(shape.layers) * (KeyBytes(shape, type) + ValueBytes(shape, type));
}

Result<std::unique_ptr<KvCache>> KvCache::Create(const KvShape& shape, KvType type, int32_t blocks) {
  PT_TRY(CheckShape(shape, blocks));
  const size_t block_bytes = BlockBytes(shape, type);
  if (block_bytes > kCacheBytesMax / static_cast<size_t>(blocks)) {
    return ResourceExhausted("KV cache: " + std::to_string(blocks) + " blocks of " +
                             std::to_string(block_bytes) + " bytes are more than the address space holds");
  }
  const size_t bytes = block_bytes * static_cast<size_t>(blocks);
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    return ResourceExhausted("KV cache: cannot reserve " + std::to_string(bytes) + " bytes of address space: " +
                             std::strerror(errno));
  }
  ::madvise(data, bytes, MADV_HUGEPAGE);  // a refusal costs speed only
  std::unique_ptr<KvCache> cache(new KvCache());
  cache->shape_ = shape;
  cache->type_ = type;
  cache->blocks_ = blocks;
  cache->key_bytes_ = KeyBytes(shape, type);
  cache->value_bytes_ = ValueBytes(shape, type);
  cache->data_ = static_cast<std::byte*>(data);
  cache->data_bytes_ = bytes;
  return cache;
}

KvCache::~KvCache() {
  if (data_ != nullptr) ::munmap(data_, data_bytes_);
}

std::byte* KvCache::Keys(int32_t layer, int32_t block) {
  PT_DCHECK(layer >= 0 && layer < shape_.layers && block >= 0 && block < blocks_, "inside the cache");
  const size_t index = static_cast<size_t>(block) * static_cast<size_t>(shape_.layers) + static_cast<size_t>(layer);
  return data_ + index * (key_bytes_ + value_bytes_);
}

std::byte* KvCache::Values(int32_t layer, int32_t block) { return Keys(layer, block) + key_bytes_; }

void KvCache::CopyBlock(int32_t from, int32_t to) {
  PT_CHECK(from >= 0 && from < blocks_ && to >= 0 && to < blocks_, "both blocks are in the cache");
  if (from != to) std::memcpy(Keys(0, to), Keys(0, from), BlockBytes(shape_, type_));
}

void KvCache::ReadBlock(int32_t block, std::span<std::byte> bytes) const {
  PT_CHECK(block >= 0 && block < blocks_, "the block is in the cache");
  PT_CHECK(bytes.size() == BlockBytes(shape_, type_), "room for exactly one block");
  std::memcpy(bytes.data(), data_ + static_cast<size_t>(block) * bytes.size(), bytes.size());
}

void KvCache::WriteBlock(int32_t block, std::span<const std::byte> bytes) {
  PT_CHECK(block >= 0 && block < blocks_, "the block is in the cache");
  PT_CHECK(bytes.size() == BlockBytes(shape_, type_), "exactly one block");
  std::memcpy(data_ + static_cast<size_t>(block) * bytes.size(), bytes.data(), bytes.size());
}

}  // namespace pingti::ops
