// Attention over blocks of keys and values: the layout inside a block, and what one call of the kernel computes.
//
// A KV block holds kKvBlock consecutive positions of one sequence. For one KV head:
//
//   keys    [key_dim][kKvBlock]         transposed, so that the lanes of a vector are positions: the scores of many
//                                       positions are products with a broadcast query value, without horizontal sums
//   values  [kKvBlock][ValueStride]     a position's values side by side; the padding is zero
//
// of F16, BF16 or int8. KvType::kQ8 has one scale for each position and head, value = scale * int8, behind the
// int8 values: scales F32 [kKvBlock].
//
// Plain data; functions are static because per-ISA files include this (see fill.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace pingti::kernels {

enum class KvType : uint8_t { kF16, kBF16, kQ8 };
inline constexpr int kKvTypeCount = 3;

inline constexpr int32_t kKvBlock = 32;       // positions in a block
inline constexpr int32_t kKvStep = 128;       // positions between two updates of the online softmax
inline constexpr int32_t kKvSplit = 512;      // positions whose partial result is computed from a fresh state
inline constexpr int32_t kValueLanes = 16;    // values of a position are padded to a multiple of it

static constexpr int64_t ValueStride(int64_t value_dim) {
  return (value_dim + kValueLanes - 1) / kValueLanes * kValueLanes;
}
static constexpr size_t KvElementBytes(KvType type) { return type == KvType::kQ8 ? 1 : 2; }
static constexpr size_t KvScaleBytes(KvType type) {
  return type == KvType::kQ8 ? kKvBlock * sizeof(float) : 0;
}
// Bytes of one head's keys or values in one block.
static constexpr size_t KeyHeadBytes(KvType type, int64_t key_dim) {
  return static_cast<size_t>(key_dim) * kKvBlock * KvElementBytes(type) + KvScaleBytes(type);
}
static constexpr size_t ValueHeadBytes(KvType type, int64_t value_dim) {
  return static_cast<size_t>(ValueStride(value_dim)) * kKvBlock * KvElementBytes(type) + KvScaleBytes(type);
}

// Queries of some consecutive tokens, all heads of one group, against one split: the keys and values of at most
// kKvSplit positions, beginning at a multiple of kKvSplit. Row r = token * group + head.
struct AttentionTask {
  const float* queries = nullptr;            // [tokens, query_stride]: the group's heads [group, key_dim] side by side
  int64_t query_stride = 0;
  int32_t tokens = 0;
  int32_t group = 0;                         // query heads of this KV head
  int32_t position = 0;                      // of the first token, minus the split's first position; may be beyond it
  int32_t window = 0;                        // > 0: a token sees only so many positions, itself included
  float scale_log2 = 0;                      // scores are multiplied by it: the softmax scale times log2(e)
  int32_t key_dim = 0;
  int32_t value_dim = 0;
  const std::byte* const* keys = nullptr;    // [blocks of the split]: this head's keys
  const std::byte* const* values = nullptr;  // [blocks of the split]
  float* scratch = nullptr;                  // AttentionScratchFloats(...) floats, aligned to 64 bytes
  bool queries_packed = false;               // the scratch is that of the call before, with the same queries
};

// The softmax's state over the positions seen, in units of log2: the largest score m, sum of 2^(score - m), and the sum
// of 2^(score - m) * value. A row that saw nothing has m = -infinity, sum = 0 and zeros.
struct AttentionState {
  float* maxima = nullptr;  // [rows]
  float* sums = nullptr;    // [rows]
  float* values = nullptr;  // [rows, ValueStride(value_dim)], aligned to 64 bytes
};

inline constexpr int32_t kScratchRows = 16;  // rows that a kernel works on at a time, at most

// Floats of scratch for `rows` rows: scores of a tile, a step's keys and values converted, packed queries.
static constexpr size_t AttentionScratchFloats(int64_t rows, int64_t key_dim, int64_t value_dim) {
  return static_cast<size_t>(kScratchRows * (kKvStep + 1) + kKvStep * (key_dim + ValueStride(value_dim)) +
                             rows * key_dim);
}

}  // namespace pingti::kernels
