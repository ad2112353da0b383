#include "ops/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace pingti::ops {
namespace {

using kernels::IsaLevel;
using kernels::KernelTable;

std::vector<float> Random(size_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(n);
  for (float& x : out) x = normal(random);
  return out;
}

// The levels whose attention differs from that of the level before.
std::vector<IsaLevel> Levels() {
  std::vector<IsaLevel> levels;
  for (int i = 0; i < kernels::kIsaLevelCount; ++i) {
    const auto level = static_cast<IsaLevel>(i);
    if (!kernels::CpuHas(level)) continue;
    const auto attend = kernels::MakeTable(level).vector.kv[0].attend;
    if (!levels.empty() && attend == kernels::MakeTable(levels.back()).vector.kv[0].attend) continue;
    levels.push_back(level);
  }
  return levels;
}

struct Shape {
  int32_t heads = 6;
  int32_t kv_heads = 2;
  int32_t key_dim = 16;
  int32_t value_dim = 16;
  int32_t window = 0;
};

// One sequence's queries, keys and values, run through a cache of its own in pieces of any sizes.
struct Sequence {
  Shape shape;
  int32_t length;
  std::vector<float> queries, keys, values;

  Sequence(const Shape& s, int32_t n, uint32_t seed = 1)
      : shape(s), length(n), queries(Random(static_cast<size_t>(n * s.heads * s.key_dim), seed)),
        keys(Random(static_cast<size_t>(n * s.kv_heads * s.key_dim), seed + 1)),
        values(Random(static_cast<size_t>(n * s.kv_heads * s.value_dim), seed + 2)) {}

  Matrix Rows(std::vector<float>& data, int32_t begin, int32_t count) const {
    const auto cols = static_cast<int64_t>(data.size()) / length;
    return {data.data() + begin * cols, count, cols, cols};
  }
  std::vector<int32_t> Blocks() const {  // in no order
    std::vector<int32_t> blocks;
    const int32_t count = (length + kBlockTokens - 1) / kBlockTokens;
    for (int32_t i = 0; i < count; ++i) blocks.push_back((i * 7 + 3) % count);
    if (count % 7 == 0) {
      for (int32_t i = 0; i < count; ++i) blocks[static_cast<size_t>(i)] = count - 1 - i;
    }
    return blocks;
  }

  std::vector<float> Run(Context& ctx, KvType type, const std::vector<int32_t>& pieces, AttentionKind kind = AttentionKind::kFlash) {
    ctx.attention = kind;
    const auto cache = KvCache::Create({.layers = 2, .kv_heads = shape.kv_heads, .key_dim = shape.key_dim,
                                        .value_dim = shape.value_dim},
                                       type, (length + kBlockTokens - 1) / kBlockTokens);
    std::vector<float> out(static_cast<size_t>(length * shape.heads * shape.value_dim));
    const std::vector<int32_t> blocks = Blocks();
    int32_t begin = 0;
    for (size_t i = 0; begin < length; ++i) {
      const int32_t count = std::min(pieces[i % pieces.size()], length - begin);
      const SequenceRows rows{.row_begin = 0, .row_count = count, .position_begin = begin, .blocks = blocks};
      const Batch batch{.tokens = {}, .positions = {}, .sequences = std::span(&rows, 1), .output_rows = {}};
      WriteKv(ctx, batch, 1, Rows(keys, begin, count), Rows(values, begin, count), **cache);
      Attention(ctx, batch, 1,
                {.heads = shape.heads, .scale = 1 / std::sqrt(static_cast<float>(shape.key_dim)),
                 .window = shape.window},
                Rows(queries, begin, count), **cache, Rows(out, begin, count));
      begin += count;
    }
    return out;
  }
};

double LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(double{a[i]} - b[i]));
  return largest;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class AttentionTest : public ::testing::TestWithParam<KvType> {
 protected:
  ThreadPool one_{{.threads = 1}};
  ThreadPool two_{{.threads = 2}};
};

TEST_P(AttentionTest, EveryTableAgreesWithTheReference) {
  const KernelTable reference = kernels::ReferenceTable();
  for (const Shape& shape : {Shape{}, Shape{.heads = 7, .kv_heads = 1, .key_dim = 10, .value_dim = 6},
                             Shape{.heads = 2, .kv_heads = 2, .key_dim = 40, .value_dim = 72},
                             Shape{.heads = 28, .kv_heads = 2, .key_dim = 8, .value_dim = 24, .window = 70}}) {
    Sequence sequence(shape, 200);
    Context reference_ctx{one_, reference};
    const std::vector<float> expected = sequence.Run(reference_ctx, GetParam(), {64});
    for (const IsaLevel level : Levels()) {
      const KernelTable table = kernels::MakeTable(level);
      Context ctx{one_, table};
      // Both keep F32 or better; a score is a sum of key_dim products, whose error the softmax passes on.
      const double bound = 1e-6 * shape.key_dim;
      EXPECT_LT(LargestDifference(sequence.Run(ctx, GetParam(), {200}), expected), bound)
          << kernels::IsaLevelName(level) << " key_dim " << shape.key_dim;
    }
  }
}

TEST_P(AttentionTest, AgreesWithTheNaiveOne) {
  const KernelTable table = kernels::MakeTable(Levels().back());
  Context ctx{two_, table};
  for (const Shape& shape : {Shape{}, Shape{.heads = 3, .kv_heads = 1, .key_dim = 24, .value_dim = 20, .window = 600}}) {
    Sequence sequence(shape, 1060);
    const std::vector<float> naive = sequence.Run(ctx, GetParam(), {500}, AttentionKind::kNaive);
    EXPECT_LT(LargestDifference(sequence.Run(ctx, GetParam(), {1060}), naive), 1e-6 * shape.key_dim);
  }
}

TEST_P(AttentionTest, BitsDoNotDependOnPiecesOrThreads) {
  for (const IsaLevel level : Levels()) {
    const KernelTable table = kernels::MakeTable(level);
    for (const Shape& shape : {Shape{}, Shape{.heads = 5, .kv_heads = 1, .key_dim = 32, .value_dim = 48},
                               Shape{.heads = 2, .kv_heads = 2, .window = 300}}) {
      Sequence sequence(shape, 1060);
      Context one{one_, table};
      Context two{two_, table};
      const std::vector<float> whole = sequence.Run(one, GetParam(), {1060});
      EXPECT_TRUE(SameBits(whole, sequence.Run(two, GetParam(), {1060}))) << kernels::IsaLevelName(level);
      EXPECT_TRUE(SameBits(whole, sequence.Run(two, GetParam(), {1}))) << kernels::IsaLevelName(level);
      EXPECT_TRUE(SameBits(whole, sequence.Run(two, GetParam(), {300, 7, 1, 33, 512})))
          << kernels::IsaLevelName(level);
    }
  }
}

TEST_P(AttentionTest, BitsDoNotDependOnTheOtherSequences) {
  const KernelTable table = kernels::MakeTable(Levels().back());
  Context ctx{two_, table};
  const Shape shape;
  std::vector<Sequence> sequences;
  for (const int32_t length : {700, 1, 33, 64, 1300}) sequences.emplace_back(shape, length, 10 * length);
  // All in one cache and one batch, each sequence's last rows only; the earlier ones are in the cache.
  const auto cache = KvCache::Create({.layers = 1, .kv_heads = 2, .key_dim = 16, .value_dim = 16}, GetParam(), 80);
  std::vector<std::vector<int32_t>> tables;
  int32_t next_block = 0;
  for (const Sequence& sequence : sequences) {
    tables.emplace_back();
    for (int32_t p = 0; p < sequence.length; p += kBlockTokens) tables.back().push_back(next_block++);
  }
  const AttentionOptions options{.heads = shape.heads, .scale = 0.25F};
  std::vector<SequenceRows> rows;
  std::vector<float> queries;
  for (size_t i = 0; i < sequences.size(); ++i) {
    Sequence& s = sequences[i];
    const SequenceRows all{.row_begin = 0, .row_count = s.length, .position_begin = 0, .blocks = tables[i]};
    const Batch batch{.tokens = {}, .positions = {}, .sequences = std::span(&all, 1), .output_rows = {}};
    WriteKv(ctx, batch, 0, s.Rows(s.keys, 0, s.length), s.Rows(s.values, 0, s.length), **cache);
    const int32_t count = std::min<int32_t>(s.length, i % 2 == 0 ? 1 : 20);
    rows.push_back({.row_begin = static_cast<int32_t>(queries.size()) / 96, .row_count = count,
                    .position_begin = s.length - count, .blocks = tables[i]});
    queries.insert(queries.end(), s.queries.end() - count * 96, s.queries.end());
  }
  std::vector<float> out(queries.size());
  const auto n = static_cast<int64_t>(queries.size()) / 96;
  const Batch batch{.tokens = {}, .positions = {}, .sequences = rows, .output_rows = {}};
  Attention(ctx, batch, 0, options, {queries.data(), n, 96, 96}, **cache, {out.data(), n, 96, 96});
  for (size_t i = 0; i < sequences.size(); ++i) {
    const std::vector<float> alone = sequences[i].Run(ctx, GetParam(), {64});
    const std::vector<float> last(alone.end() - rows[i].row_count * 96, alone.end());
    const auto begin = out.begin() + rows[i].row_begin * 96;
    EXPECT_TRUE(SameBits(last, std::vector<float>(begin, begin + rows[i].row_count * 96))) << "sequence " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(KvTypes, AttentionTest, ::testing::Values(KvType::kF16, KvType::kBF16, KvType::kQ8),
                         [](const auto& param) { return std::string(KvTypeName(param.param)); });

}  // namespace
}  // namespace pingti::ops
