#include "capacity.h"

namespace pingti::apps {
namespace {

constexpr ModelSize kSizes[] = {
    {"0.5B", 0.49e9, {.layers = 24, .kv_heads = 2, .key_dim = 64, .value_dim = 64}},
    {"1.5B", 1.54e9, {.layers = 28, .kv_heads = 2, .key_dim = 128, .value_dim = 128}},
    {"7B", 7.6e9, {.layers = 28, .kv_heads = 4, .key_dim = 128, .value_dim = 128}},
    {"14B", 14.8e9, {.layers = 48, .kv_heads = 8, .key_dim = 128, .value_dim = 128}},
    {"32B", 32.8e9, {.layers = 64, .kv_heads = 8, .key_dim = 128, .value_dim = 128}},
    {"70B", 70.6e9, {.layers = 80, .kv_heads = 8, .key_dim = 128, .value_dim = 128}},
};
constexpr WeightFormat kFormats[] = {{"Q4_K_M", 4.85}, {"Q8_0", 8.5}, {"F16", 16}};

}  // namespace

std::span<const ModelSize> ModelSizes() { return kSizes; }
std::span<const WeightFormat> WeightFormats() { return kFormats; }

Demand DemandOf(const ModelSize& size, const WeightFormat& format, ops::KvType kv_type,
                int64_t kv_tokens) {
  const auto blocks =
      static_cast<uint64_t>((kv_tokens + ops::kBlockTokens - 1) / ops::kBlockTokens);
  constexpr double kBitsOfByte = 8;
  return {.weight_bytes = static_cast<uint64_t>(size.parameters * format.bits / kBitsOfByte),
          .kv_bytes = ops::KvCache::BlockBytes(size.kv, kv_type) * blocks};
}

bool Fits(const Demand& demand, uint64_t memory_bytes) {
  return static_cast<double>(demand.total()) <= kUsableShare * static_cast<double>(memory_bytes);
}

const ModelSize* LargestThatFits(const WeightFormat& format, ops::KvType kv_type, int64_t kv_tokens,
                                 uint64_t memory_bytes) {
  const ModelSize* largest = nullptr;
  for (const ModelSize& size : kSizes) {
    if (Fits(DemandOf(size, format, kv_type, kv_tokens), memory_bytes)) largest = &size;
  }
  return largest;
}

}  // namespace pingti::apps
