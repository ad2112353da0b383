#include "ops/attention.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <tuple>
#include <vector>

#include "base/check.h"
#include "ops/attention_naive.h"

namespace pingti::ops {
namespace {

using kernels::kKvSplit;

constexpr int32_t kSplitBlocks = kKvSplit / kBlockTokens;
// Rows (tokens x heads of a group) that share a tile of a prompt: enough to share the conversion of a block between them,
// few enough that queries and sums stay in a core's second-level cache. Small tiles where large ones are too few to
// keep all threads busy.
constexpr int32_t kTileRowsMax = 192;
constexpr int32_t kTileRowsMin = 48;
// Work is cut into about so many items for each thread, so that no thread waits long for the last.
constexpr int64_t kItemsPerThread = 4;
// Memory for the partial results of units that are cut into splits; a unit beyond it is computed in one piece.
constexpr size_t kPartialFloatsMax = size_t{16} << 20;

// One KV head's tile of tokens of one sequence: all that its out rows need.
struct Unit {
  const SequenceRows* sequence = nullptr;
  int32_t kv_head = 0;
  int32_t token_begin = 0;  // within the sequence's rows
  int32_t tokens = 0;
  int32_t split_begin = 0;
  int32_t split_end = 0;
  int64_t cost = 0;
  bool cut = false;         // its splits are items of their own
  size_t partials = 0;      // cut: floats offset of its first split's state
};

struct Item {
  int32_t unit = 0;
  int32_t split = 0;  // of a cut unit
  int64_t cost = 0;
};

class AttentionRun {
 public:
  AttentionRun(Context& ctx, const Batch& batch, int32_t layer, const AttentionOptions& options, Matrix queries,
               KvCache& cache, Matrix out)
      : ctx_(ctx), layer_(layer), options_(options), queries_(queries), cache_(cache), out_(out),
        shape_(cache.shape()), group_(options.heads / cache.shape().kv_heads) {
    int64_t rows = 0;
    for (const SequenceRows& sequence : batch.sequences) rows += int64_t{sequence.row_count} * group_;
    int64_t tile_rows = rows * shape_.kv_heads / (kItemsPerThread * ctx.pool.size());
    tile_rows = std::clamp<int64_t>(tile_rows, kTileRowsMin, kTileRowsMax);
    const int32_t tile_tokens = std::max(1, static_cast<int32_t>(tile_rows) / group_);
    for (const SequenceRows& sequence : batch.sequences) AddUnits(sequence, tile_tokens);
    MakeItems();
  }

  void Run() {
    const size_t partials = Align(partial_floats_);
    float* memory = reinterpret_cast<float*>(
        ctx_.scratch.Reserve((partials + WorkerFloats() * static_cast<size_t>(ctx_.pool.size())) * sizeof(float)));
    partials_ = memory;
    workers_ = memory + partials;
    splits_left_ = std::vector<std::atomic<int32_t>>(units_.size());
    for (size_t i = 0; i < units_.size(); ++i) splits_left_[i] = units_[i].split_end - units_[i].split_begin;
    if (items_.size() == 1 || ctx_.pool.size() == 1) {
      for (const Item& item : items_) RunItem(0, item);
      return;
    }
    std::atomic<size_t> next{0};
    ctx_.pool.Run([&](int worker) {
      for (size_t i = next.fetch_add(1); i < items_.size(); i = next.fetch_add(1)) RunItem(worker, items_[i]);
    });
  }

 private:
  static size_t Align(size_t floats) { return (floats + 15) / 16 * 16; }
  size_t StateFloats(int64_t rows) const {
    return 2 * Align(static_cast<size_t>(rows)) + static_cast<size_t>(rows * kernels::ValueStride(shape_.value_dim));
  }
  // The kernel's scratch, and two states: the unit's and the next split's.
  size_t WorkerFloats() const {
    return Align(kernels::AttentionScratchFloats(rows_max_, shape_.key_dim, shape_.value_dim)) + 2 * Align(StateFloats(rows_max_));
  }
  kernels::AttentionState StateAt(float* memory, int64_t rows) const {
    const size_t aligned = Align(static_cast<size_t>(rows));
    return {.maxima = memory, .sums = memory + aligned, .values = memory + 2 * aligned};
  }

  void AddUnits(const SequenceRows& sequence, int32_t tile) {
    for (int32_t begin = 0; begin < sequence.row_count; begin += tile) {
      Unit unit{.sequence = &sequence, .token_begin = begin,
                .tokens = std::min(tile, sequence.row_count - begin)};
      const int32_t first = sequence.position_begin + begin;
      const int32_t end = first + unit.tokens;
      const int32_t seen_begin = options_.window > 0 ? std::max(0, first - options_.window + 1) : 0;
      unit.split_begin = seen_begin / kKvSplit;
      unit.split_end = (end + kKvSplit - 1) / kKvSplit;
      constexpr int64_t kLoadCost = 4;  // reading a position costs about as much as so many rows' work on it
      unit.cost = (end - seen_begin) * (int64_t{unit.tokens} * group_ + kLoadCost);
      for (unit.kv_head = 0; unit.kv_head < shape_.kv_heads; ++unit.kv_head) units_.push_back(unit);
      rows_max_ = std::max<int64_t>(rows_max_, int64_t{unit.tokens} * group_);
    }
  }

  void MakeItems() {
    int64_t all = 0;
    for (const Unit& unit : units_) all += unit.cost;
    const int64_t target = all / (kItemsPerThread * ctx_.pool.size());
    for (size_t i = 0; i < units_.size(); ++i) {
      Unit& unit = units_[i];
      const int32_t splits = unit.split_end - unit.split_begin;
      const size_t floats = static_cast<size_t>(splits) * Align(StateFloats(int64_t{unit.tokens} * group_));
      unit.cut = ctx_.pool.size() > 1 && splits > 1 && unit.cost > target &&
                 partial_floats_ + floats <= kPartialFloatsMax;
      if (!unit.cut) {
        items_.push_back({.unit = static_cast<int32_t>(i), .cost = unit.cost});
        continue;
      }
      unit.partials = partial_floats_;
      partial_floats_ += floats;
      for (int32_t split = unit.split_begin; split < unit.split_end; ++split) {
        items_.push_back({.unit = static_cast<int32_t>(i), .split = split, .cost = unit.cost / splits});
      }
    }
    // The heaviest first: the light ones fill the gaps at the end.
    std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
      return std::tie(b.cost, a.unit, a.split) < std::tie(a.cost, b.unit, b.split);
    });
  }

  void RunItem(int worker, const Item& item) {
    const Unit& unit = units_[static_cast<size_t>(item.unit)];
    const int64_t rows = int64_t{unit.tokens} * group_;
    float* scratch = workers_ + WorkerFloats() * static_cast<size_t>(worker);
    float* states = scratch + Align(kernels::AttentionScratchFloats(rows_max_, shape_.key_dim, shape_.value_dim));
    if (unit.cut) {
      AttendSplit(unit, item.split, scratch, false, PartialOf(unit, item.split));
      // Whoever finishes last joins all, in the order of the splits.
      if (splits_left_[static_cast<size_t>(item.unit)].fetch_sub(1, std::memory_order_acq_rel) > 1) return;
      const kernels::AttentionState state = PartialOf(unit, unit.split_begin);
      for (int32_t split = unit.split_begin + 1; split < unit.split_end; ++split) {
        ctx_.kernels.vector.join(PartialOf(unit, split), rows, shape_.value_dim, state);
      }
      return Finish(unit, state);
    }
    const kernels::AttentionState state = StateAt(states, rows);
    const kernels::AttentionState next = StateAt(states + Align(StateFloats(rows_max_)), rows);
    AttendSplit(unit, unit.split_begin, scratch, false, state);
    for (int32_t split = unit.split_begin + 1; split < unit.split_end; ++split) {
      AttendSplit(unit, split, scratch, true, next);
      ctx_.kernels.vector.join(next, rows, shape_.value_dim, state);
    }
    Finish(unit, state);
  }

  kernels::AttentionState PartialOf(const Unit& unit, int32_t split) const {
    const int64_t rows = int64_t{unit.tokens} * group_;
    const auto index = static_cast<size_t>(split - unit.split_begin);
    return StateAt(partials_ + unit.partials + index * Align(StateFloats(rows)), rows);
  }

  // `again`: the call before this one on `scratch` was for the same unit.
  void AttendSplit(const Unit& unit, int32_t split, float* scratch, bool again, const kernels::AttentionState& out) {
    const SequenceRows& sequence = *unit.sequence;
    const int32_t first = sequence.position_begin + unit.token_begin;
    const std::byte* keys[kSplitBlocks] = {};
    const std::byte* values[kSplitBlocks] = {};
    const int32_t blocks_seen = (first + unit.tokens + kBlockTokens - 1) / kBlockTokens;
    const int32_t block_begin = split * kSplitBlocks;
    const int32_t blocks = std::min(kSplitBlocks, blocks_seen - block_begin);
    const auto head = static_cast<size_t>(unit.kv_head);
    const size_t key_offset = head * kernels::KeyHeadBytes(cache_.type(), shape_.key_dim);
    const size_t value_offset = head * kernels::ValueHeadBytes(cache_.type(), shape_.value_dim);
    for (int32_t i = 0; i < blocks; ++i) {
      const int32_t block = sequence.blocks[static_cast<size_t>(block_begin + i)];
      keys[i] = cache_.Keys(layer_, block) + key_offset;
      values[i] = cache_.Values(layer_, block) + value_offset;
    }
    const int64_t row = sequence.row_begin + unit.token_begin;
    const kernels::AttentionTask task{
        .queries = queries_.data + row * queries_.stride + int64_t{unit.kv_head} * group_ * shape_.key_dim,
        .query_stride = queries_.stride,
        .tokens = unit.tokens,
        .group = group_,
        .position = first - split * kKvSplit,
        .window = options_.window,
        .scale_log2 = static_cast<float>(options_.scale * M_LOG2E),
        .key_dim = shape_.key_dim,
        .value_dim = shape_.value_dim,
        .keys = keys,
        .values = values,
        .scratch = scratch,
        .queries_packed = again};
    ctx_.kernels.vector.kv[static_cast<size_t>(cache_.type())].attend(task, out);
  }

  void Finish(const Unit& unit, const kernels::AttentionState& state) {
    const int64_t stride = kernels::ValueStride(shape_.value_dim);
    for (int64_t row = 0; row < int64_t{unit.tokens} * group_; ++row) {
      const int64_t out_row = unit.sequence->row_begin + unit.token_begin + row / group_;
      const int64_t head = unit.kv_head * group_ + row % group_;
      ctx_.kernels.vector.finish(state.values + row * stride, state.sums[row], shape_.value_dim,
                                 out_.data + out_row * out_.stride + head * shape_.value_dim);
    }
  }

  Context& ctx_;
  const int32_t layer_;
  const AttentionOptions& options_;
  const Matrix queries_;
  KvCache& cache_;
  const Matrix out_;
  const KvShape shape_;
  const int32_t group_;
  std::vector<Unit> units_;
  std::vector<Item> items_;
  std::vector<std::atomic<int32_t>> splits_left_;  // [units]
  int64_t rows_max_ = 0;
  size_t partial_floats_ = 0;
  float* partials_ = nullptr;
  float* workers_ = nullptr;
};

// One block's worth of one sequence's rows.
struct WriteItem {
  const SequenceRows* sequence = nullptr;
  int32_t row_begin = 0;  // within the sequence's rows
  int32_t row_end = 0;
};

std::vector<WriteItem> WriteItems(const Batch& batch) {
  std::vector<WriteItem> items;
  for (const SequenceRows& sequence : batch.sequences) {
    for (int32_t begin = 0; begin < sequence.row_count;) {
      const int32_t slot = (sequence.position_begin + begin) % kBlockTokens;
      const int32_t end = std::min(sequence.row_count, begin + kBlockTokens - slot);
      items.push_back({&sequence, begin, end});
      begin = end;
    }
  }
  return items;
}

}  // namespace

void WriteKv(Context& ctx, const Batch& batch, int32_t layer, Matrix keys, Matrix values, KvCache& cache) {
  const KvShape& shape = cache.shape();
  PT_CHECK(keys.cols == int64_t{shape.kv_heads} * shape.key_dim, "keys [rows, kv_heads * key_dim]");
  PT_CHECK(values.cols == int64_t{shape.kv_heads} * shape.value_dim, "values [rows, kv_heads * value_dim]");
  PT_CHECK(layer >= 0 && layer < shape.layers, "the cache has the layer");
  const kernels::KvKernels& kv = ctx.kernels.vector.kv[static_cast<size_t>(cache.type())];
  const size_t key_head = kernels::KeyHeadBytes(cache.type(), shape.key_dim);
  const size_t value_head = kernels::ValueHeadBytes(cache.type(), shape.value_dim);
  const std::vector<WriteItem> items = WriteItems(batch);
  const auto write = [&](size_t begin, size_t end) {
    for (const WriteItem& item : std::span(items).subspan(begin, end - begin)) {
      for (int32_t i = item.row_begin; i < item.row_end; ++i) {
        const SequenceRows& sequence = *item.sequence;
        const int32_t position = sequence.position_begin + i;
        PT_CHECK(position / kBlockTokens < static_cast<int32_t>(sequence.blocks.size()),
                 "the block table covers the rows' positions");
        const int32_t block = sequence.blocks[static_cast<size_t>(position / kBlockTokens)];
        PT_CHECK(block >= 0 && block < cache.blocks(), "a block of the cache");
        const float* key = keys.data + (sequence.row_begin + i) * keys.stride;
        const float* value = values.data + (sequence.row_begin + i) * values.stride;
        for (int32_t head = 0; head < shape.kv_heads; ++head) {
          const auto h = static_cast<size_t>(head);
          kv.write_key(key + int64_t{head} * shape.key_dim, shape.key_dim, position % kBlockTokens,
                       cache.Keys(layer, block) + h * key_head);
          kv.write_value(value + int64_t{head} * shape.value_dim, shape.value_dim, position % kBlockTokens,
                         cache.Values(layer, block) + h * value_head);
        }
      }
    }
  };
  constexpr size_t kForkItems = 4;  // blocks; fewer are written before another thread has woken
  if (items.size() < kForkItems) return write(0, items.size());
  ctx.pool.ForEach(items.size(), 1, write);
}

void Attention(Context& ctx, const Batch& batch, int32_t layer, const AttentionOptions& options, Matrix queries,
               KvCache& cache, Matrix out) {
  const KvShape& shape = cache.shape();
  PT_CHECK(options.heads > 0 && options.heads % shape.kv_heads == 0, "each KV head serves as many query heads");
  PT_CHECK(queries.cols == int64_t{options.heads} * shape.key_dim, "queries [rows, heads * key_dim]");
  PT_CHECK(out.cols == int64_t{options.heads} * shape.value_dim, "out [rows, heads * value_dim]");
  PT_CHECK(layer >= 0 && layer < shape.layers, "the cache has the layer");
  for (const SequenceRows& sequence : batch.sequences) {
    const int32_t end = sequence.position_begin + sequence.row_count;
    PT_CHECK((end + kBlockTokens - 1) / kBlockTokens <= static_cast<int32_t>(sequence.blocks.size()),
             "the block table covers the rows' positions");
    PT_CHECK(sequence.row_begin + sequence.row_count <= queries.rows, "the sequence's rows are in the matrix");
  }
  if (ctx.attention == AttentionKind::kNaive) return AttentionNaive(ctx, batch, layer, options, queries, cache, out);
  AttentionRun(ctx, batch, layer, options, queries, cache, out).Run();
}

}  // namespace pingti::ops
