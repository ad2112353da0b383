// Kernels on F32 vectors, and attention over KV blocks. See table.h for the rules.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention.h"

namespace pingti::kernels {

// What depends on the type of the KV cache.
struct KvKernels {
  // Writes one head's keys [dim] of the position `slot` of a block into the head's part of it; 4 * dim bytes read,
  // 2 * dim (Q8: dim + 4) written. F16 is clamped to +-65504, so that no finite input becomes infinite.
  void (*write_key)(const float* keys, int64_t dim, int32_t slot, std::byte* head) noexcept = nullptr;
  void (*write_value)(const float* values, int64_t dim, int32_t slot, std::byte* head) noexcept = nullptr;
  // The same back as F32; for tests and the naive attention.
  void (*read_key)(const std::byte* head, int64_t dim, int32_t slot, float* keys) noexcept = nullptr;
  void (*read_value)(const std::byte* head, int64_t dim, int32_t slot, float* values) noexcept = nullptr;
  // The state of all rows over the task's split, overwritten. 2 * rows * positions * (key_dim + value_dim) FLOPs;
  // reads KeyHeadBytes + ValueHeadBytes of each block. Dot products sum over key_dim in order, values over positions
  // in order, all in F32 with one rounding per step: a row's bits do not depend on the other rows.
  void (*attend)(const AttentionTask& task, const AttentionState& out) noexcept = nullptr;
};

struct VectorKernels {
  // out[i] = x[i] / sqrt(sum(x^2) / n + epsilon) * weight[i]; out may be x. F32 sums.
  void (*rms_norm)(const float* x, const float* weight, float epsilon, int64_t n, float* out) noexcept = nullptr;
  // out[i] = gate[i] / (1 + exp(-gate[i])) * up[i]; out may be gate or up. exp is within 2 units in the last place.
  void (*silu_mul)(const float* gate, const float* up, int64_t n, float* out) noexcept = nullptr;
  // out[i] += scale * x[i], in one rounding where the level has a fused product and sum.
  void (*add_scaled)(const float* x, float scale, int64_t n, float* out) noexcept = nullptr;

  // Rotates pairs of x [dim] in place. Halves: (x[i], x[i + dim/2]) by cos[i], sin[i], i < dim/2. Interleaved:
  // (x[2i], x[2i+1]) with tables as long as x: cos[2i] = cos[2i+1], sin[2i] = -sin[2i+1].
  void (*rope_halves)(const float* cos, const float* sin, int64_t dim, float* x) noexcept = nullptr;
  void (*rope_interleaved)(const float* cos, const float* sin, int64_t dim, float* x) noexcept = nullptr;

  // Conversions, to nearest even. No aliasing.
  void (*f16_to_f32)(const uint16_t* x, int64_t n, float* out) noexcept = nullptr;
  void (*bf16_to_f32)(const uint16_t* x, int64_t n, float* out) noexcept = nullptr;
  void (*f32_to_f16)(const float* x, int64_t n, uint16_t* out) noexcept = nullptr;
  void (*f32_to_bf16)(const float* x, int64_t n, uint16_t* out) noexcept = nullptr;

  // The largest of x [n], n >= 1, and the first index that holds it. NaNs are not chosen where a number is there.
  float (*max)(const float* x, int64_t n) noexcept = nullptr;
  int64_t (*argmax)(const float* x, int64_t n) noexcept = nullptr;
  // out[i] = exp((x[i] - max) * scale); returns their sum, each lane's in F32, joined in double. out may be x.
  double (*softmax_exp)(const float* x, int64_t n, float max, float scale, float* out) noexcept = nullptr;

  // Joins the state of the next split into `state`: rows that saw nothing in `next` are left as they are.
  void (*join)(const AttentionState& next, int64_t rows, int64_t value_dim, const AttentionState& state) noexcept = nullptr;
  // out[i] = values[i] / sum, i < value_dim.
  void (*finish)(const float* values, float sum, int64_t value_dim, float* out) noexcept = nullptr;

  KvKernels kv[kKvTypeCount];  // by KvType
};

}  // namespace pingti::kernels
