// Causal attention over the paged KV cache, with grouped queries: query head h reads KV head h / (heads / kv_heads).
//
// Keys and values are taken in chunks that begin at fixed positions, and partial results are joined in the order of
// the chunks (online softmax, Milakov & Gimelshein 2018; FlashAttention, Dao 2022): a row's bits depend on its
// position only, never on how the prompt was cut or on the other sequences.
#pragma once

#include "ops/batch.h"
#include "ops/context.h"
#include "ops/kv_cache.h"

namespace pingti::ops {

// Writes the batch's keys [rows, kv_heads * key_dim] and values [rows, kv_heads * value_dim] of `layer`.
void WriteKv(Context& ctx, const Batch& batch, int32_t layer, Matrix keys, Matrix values, KvCache& cache);

struct AttentionOptions {
  int32_t heads = 0;
  float scale = 0;            // scores are multiplied by it: usually 1 / sqrt(key_dim)
  int32_t window = 0;         // > 0: only the last `window` positions are seen (sliding window)
};
// queries [rows, heads * key_dim], out [rows, heads * value_dim]; the batch's own keys are already written.
void Attention(Context& ctx, const Batch& batch, int32_t layer, const AttentionOptions& options,
               Matrix queries, KvCache& cache, Matrix out);

}  // namespace pingti::ops
