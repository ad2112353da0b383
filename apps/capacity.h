// What fits into how much memory: weights, and keys and values of the tokens that users hold. Pure
// arithmetic on the sizes of published models.
#pragma once

#include <cstdint>
#include <span>

#include "ops/kv_cache.h"

namespace pingti::apps {

struct ModelSize {
  const char* name = "";  // "14B"
  double parameters = 0;
  ops::KvShape kv;
};
struct WeightFormat {
  const char* name = "";  // "Q4_K_M"
  double bits = 0;        // a parameter, scales included
};

std::span<const ModelSize> ModelSizes();        // from small to large
std::span<const WeightFormat> WeightFormats();  // from small to large

// Memory for these weights and for the keys and values of so many tokens of all users together.
struct Demand {
  uint64_t weight_bytes = 0;
  uint64_t kv_bytes = 0;
  uint64_t total() const { return weight_bytes + kv_bytes; }
};
Demand DemandOf(const ModelSize& size, const WeightFormat& format, ops::KvType kv_type,
                int64_t kv_tokens);

// The rest is the system's and the activations'.
inline constexpr double kUsableShare = 0.9;
bool Fits(const Demand& demand, uint64_t memory_bytes);

// Null: not even the smallest.
const ModelSize* LargestThatFits(const WeightFormat& format, ops::KvType kv_type, int64_t kv_tokens,
                                 uint64_t memory_bytes);

}  // namespace pingti::apps
