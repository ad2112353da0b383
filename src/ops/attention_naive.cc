#include "ops/attention_naive.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/check.h"

namespace pingti::ops {
namespace {

// One sequence's keys or values of one KV head as F32: keys [dim, positions], values [positions, dim].
struct HeadMatrices {
  std::vector<float> keys;
  std::vector<float> values;
};

struct NaiveRun {
  Context& ctx;
  int32_t layer;
  const AttentionOptions& options;
  Matrix queries;
  KvCache& cache;
  Matrix out;

  HeadMatrices Unpack(const SequenceRows& sequence, int32_t kv_head, int64_t positions) const {
    const KvShape& shape = cache.shape();
    const kernels::KvKernels& kv = ctx.kernels.vector.kv[static_cast<size_t>(cache.type())];
    const auto head = static_cast<size_t>(kv_head);
    const size_t key_offset = head * kernels::KeyHeadBytes(cache.type(), shape.key_dim);
    const size_t value_offset = head * kernels::ValueHeadBytes(cache.type(), shape.value_dim);
    HeadMatrices m{.keys = std::vector<float>(static_cast<size_t>(positions * shape.key_dim)),
                   .values = std::vector<float>(static_cast<size_t>(positions * shape.value_dim))};
    std::vector<float> key(static_cast<size_t>(shape.key_dim));
    for (int64_t p = 0; p < positions; ++p) {
      const int32_t block = sequence.blocks[static_cast<size_t>(p / kBlockTokens)];
      const auto slot = static_cast<int32_t>(p % kBlockTokens);
      kv.read_key(cache.Keys(layer, block) + key_offset, shape.key_dim, slot, key.data());
      kv.read_value(cache.Values(layer, block) + value_offset, shape.value_dim, slot,
                    m.values.data() + p * shape.value_dim);
      for (int64_t d = 0; d < shape.key_dim; ++d) m.keys[static_cast<size_t>(d * positions + p)] = key[static_cast<size_t>(d)];
    }
    return m;
  }

  // One query head: S = Q K^T for all rows, then the softmax of each row, then P V.
  void Head(const SequenceRows& sequence, int32_t head, const HeadMatrices& m, int64_t positions) const {
    const KvShape& shape = cache.shape();
    const kernels::VectorKernels& vector = ctx.kernels.vector;
    std::vector<float> scores(static_cast<size_t>(sequence.row_count * positions));
    for (int32_t row = 0; row < sequence.row_count; ++row) {
      const float* q = queries.data + (sequence.row_begin + row) * queries.stride + int64_t{head} * shape.key_dim;
      for (int64_t d = 0; d < shape.key_dim; ++d) {
        vector.add_scaled(m.keys.data() + d * positions, q[d], positions, scores.data() + row * positions);
      }
    }
    for (int32_t row = 0; row < sequence.row_count; ++row) {
      const int64_t end = sequence.position_begin + row + 1;
      const int64_t begin = options.window > 0 ? std::max<int64_t>(0, end - options.window) : 0;
      float* s = scores.data() + row * positions;
      const float max = vector.max(s + begin, end - begin);
      const double sum = vector.softmax_exp(s + begin, end - begin, max, options.scale, s + begin);
      float* o = out.data + (sequence.row_begin + row) * out.stride + int64_t{head} * shape.value_dim;
      std::fill_n(o, shape.value_dim, 0.0F);
      for (int64_t p = begin; p < end; ++p) {
        vector.add_scaled(m.values.data() + p * shape.value_dim, s[p], shape.value_dim, o);
      }
      vector.finish(o, static_cast<float>(sum), shape.value_dim, o);
    }
  }
};

}  // namespace

void AttentionNaive(Context& ctx, const Batch& batch, int32_t layer, const AttentionOptions& options, Matrix queries,
                    KvCache& cache, Matrix out) {
  const int32_t kv_heads = cache.shape().kv_heads;
  PT_CHECK(options.heads > 0 && options.heads % kv_heads == 0, "each KV head serves as many query heads");
  const int32_t group = options.heads / kv_heads;
  const NaiveRun run{ctx, layer, options, queries, cache, out};
  for (const SequenceRows& sequence : batch.sequences) {
    const int64_t positions = sequence.position_begin + sequence.row_count;
    std::vector<HeadMatrices> heads(static_cast<size_t>(kv_heads));
    ctx.pool.ForEach(heads.size(), 1, [&](size_t begin, size_t end) {
      for (size_t h = begin; h < end; ++h) heads[h] = run.Unpack(sequence, static_cast<int32_t>(h), positions);
    });
    ctx.pool.ForEach(static_cast<size_t>(options.heads), 1, [&](size_t begin, size_t end) {
      for (size_t h = begin; h < end; ++h) {
        const auto head = static_cast<int32_t>(h);
        run.Head(sequence, head, heads[static_cast<size_t>(head / group)], positions);
      }
    });
  }
}

}  // namespace pingti::ops
