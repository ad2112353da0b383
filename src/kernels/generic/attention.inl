// Attention over KV blocks with online softmax (Milakov & Gimelshein 2018; FlashAttention, Dao 2022), over the vector
// vocabulary. attention.h says what is computed and how a block is laid out.
//
// A row's numbers go through the same operations in the same order whatever the other rows are: how many rows share
// a tile, and whether keys are converted in registers or beforehand (both exact), changes no bit.

// How elements of the KV cache are read. kScaled: a scale for each position stands behind them.
struct ElementsF32 {
  using Element = float;
  static constexpr bool kScaled = false;
  static Vec LoadVec(const Element* p) { return Load(p); }
};
struct ElementsF16 {
  using Element = uint16_t;
  static constexpr bool kScaled = false;
  static constexpr KvType kType = KvType::kF16;
  static Vec LoadVec(const Element* p) { return LoadF16(p); }
};
struct ElementsBf16 {
  using Element = uint16_t;
  static constexpr bool kScaled = false;
  static constexpr KvType kType = KvType::kBF16;
  static Vec LoadVec(const Element* p) { return LoadBf16(p); }
};
struct ElementsI8 {
  using Element = int8_t;
  static constexpr bool kScaled = true;
  static constexpr KvType kType = KvType::kQ8;
  static Vec LoadVec(const Element* p) { return LoadI8(p); }
};

// The F32 scales behind a head's `dim` (keys) or ValueStride (values) elements per position.
template <typename Elements>
inline const float* Scales(const std::byte* head, int64_t dim) {
  return reinterpret_cast<const float*>(head + static_cast<size_t>(dim) * kKvBlock * sizeof(typename Elements::Element));
}

inline constexpr int kTileVectors = 2;  // vectors of positions (scores) or of values in a tile
static_assert(kKvBlock % (kTileVectors * kLanes) == 0 && kTileVectors * kLanes <= kValueChunk);

// scores[r, p] = sum over d of queries[d, r] * keys[d, p] for the kKvBlock positions of one block, R rows.
// queries [key_dim, R], keys [key_dim, kKvBlock], scores [R, kKvStep].
template <typename Elements, int R>
void ScoreTile(const float* queries, const void* keys, int64_t key_dim, float* scores) {
  constexpr int kPass = kTileVectors * kLanes;
  for (int pass = 0; pass < kKvBlock; pass += kPass) {
    const auto* k = static_cast<const typename Elements::Element*>(keys) + pass;
    Vec sums[R][kTileVectors];
    PINGTI_UNROLL
    for (int r = 0; r < R; ++r) {
      PINGTI_UNROLL
      for (int c = 0; c < kTileVectors; ++c) sums[r][c] = Zero();
    }
    for (int64_t d = 0; d < key_dim; ++d) {
      Vec key[kTileVectors];
      PINGTI_UNROLL
      for (int c = 0; c < kTileVectors; ++c) key[c] = Elements::LoadVec(k + d * kKvBlock + c * kLanes);
      PINGTI_UNROLL
      for (int r = 0; r < R; ++r) {
        const Vec q = Set(queries[d * R + r]);
        PINGTI_UNROLL
        for (int c = 0; c < kTileVectors; ++c) sums[r][c] = Fma(q, key[c], sums[r][c]);
      }
    }
    PINGTI_UNROLL
    for (int r = 0; r < R; ++r) {
      PINGTI_UNROLL
      for (int c = 0; c < kTileVectors; ++c) Store(scores + r * kKvStep + pass + c * kLanes, sums[r][c]);
    }
  }
}

// sums[r, i] = sums[r, i] * corrections[r] + sum over p < count of weights[r, p] * values[p, i], i < C vectors.
// values [count, value_stride], weights [R, kKvStep], sums [R, sum_stride].
struct ValueTileArgs {
  const float* weights;
  const void* values;
  int64_t value_stride;
  int64_t count;
  const float* maybe_corrections;  // null: all 1
  float* sums;
  int64_t sum_stride;
};
template <typename Elements, int R, int C>
void ValueTile(const ValueTileArgs& args) {
  const auto* values = static_cast<const typename Elements::Element*>(args.values);
  Vec sums[R][C];
  PINGTI_UNROLL
  for (int r = 0; r < R; ++r) {
    PINGTI_UNROLL
    for (int c = 0; c < C; ++c) sums[r][c] = Load(args.sums + r * args.sum_stride + c * kLanes);
  }
  if (args.maybe_corrections != nullptr) {
    PINGTI_UNROLL
    for (int r = 0; r < R; ++r) {
      PINGTI_UNROLL
      for (int c = 0; c < C; ++c) sums[r][c] = Mul(sums[r][c], Set(args.maybe_corrections[r]));
    }
  }
  const float* weights = args.weights;
  for (int64_t p = 0; p < args.count; ++p, values += args.value_stride, ++weights) {
    Vec value[C];
    PINGTI_UNROLL
    for (int c = 0; c < C; ++c) value[c] = Elements::LoadVec(values + c * kLanes);
    PINGTI_UNROLL
    for (int r = 0; r < R; ++r) {
      const Vec w = Set(weights[r * kKvStep]);
      PINGTI_UNROLL
      for (int c = 0; c < C; ++c) sums[r][c] = Fma(w, value[c], sums[r][c]);
    }
  }
  PINGTI_UNROLL
  for (int r = 0; r < R; ++r) {
    PINGTI_UNROLL
    for (int c = 0; c < C; ++c) Store(args.sums + r * args.sum_stride + c * kLanes, sums[r][c]);
  }
}

// The tiles of 1 to kTileRows rows, by number of rows.
template <typename Elements, int R = kTileRows>
inline void ScoreRows(int rows, const float* queries, const void* keys, int64_t key_dim, float* scores) {
  if (rows == R) return ScoreTile<Elements, R>(queries, keys, key_dim, scores);
  if constexpr (R > 1) ScoreRows<Elements, R - 1>(rows, queries, keys, key_dim, scores);
}
template <typename Elements, int C, int R = kTileRows>
inline void ValueRows(int rows, const ValueTileArgs& args) {
  if (rows == R) return ValueTile<Elements, R, C>(args);
  if constexpr (R > 1) ValueRows<Elements, C, R - 1>(rows, args);
}

// Rows cut into tiles of nearly the same size, each at most kTileRows.
struct RowTiles {
  int64_t rows;
  int64_t count;
  explicit RowTiles(int64_t all) : rows(all), count((all + kTileRows - 1) / kTileRows) {}
  int64_t Begin(int64_t tile) const { return rows * tile / count; }
  int Size(int64_t tile) const { return static_cast<int>(Begin(tile + 1) - Begin(tile)); }
};

struct AttentionScratch {
  float* queries;      // each row tile: [key_dim, rows of the tile]
  float* scores;       // [rows, kKvStep]; softmax weights after SoftmaxRow
  float* corrections;  // [rows]
  float* converted;    // a block of keys or a chunk of values, as F32
};

inline AttentionScratch CutScratch(const AttentionTask& task, int64_t rows) {
  const int64_t rows_padded = (rows + kValueLanes - 1) / kValueLanes * kValueLanes;
  AttentionScratch scratch;
  scratch.scores = task.scratch;
  scratch.corrections = scratch.scores + rows_padded * kKvStep;
  scratch.converted = scratch.corrections + rows_padded;
  const int64_t keys = int64_t{kKvBlock} * task.key_dim;
  scratch.queries = scratch.converted + (keys > kKvStep * kValueChunk ? keys : kKvStep * kValueChunk);
  return scratch;
}

// Queries times the scale, each tile transposed so that the rows' values of one d stand side by side.
void PackQueries(const AttentionTask& task, const RowTiles& tiles, float* packed) {
  for (int64_t tile = 0; tile < tiles.count; ++tile) {
    const int64_t begin = tiles.Begin(tile);
    const int size = tiles.Size(tile);
    float* out = packed + begin * task.key_dim;
    for (int r = 0; r < size; ++r) {
      const int64_t row = begin + r;
      const float* q = task.queries + row / task.group * task.query_stride + row % task.group * task.key_dim;
      for (int64_t d = 0; d < task.key_dim; ++d) out[d * size + r] = q[d] * task.scale_log2;
    }
  }
}

// One row's online softmax over a step of `count` scores of which [begin, end) count: scores become weights
// 2^(score - max), zero outside; `max` and `sum` move on. Returns what the row's sums so far are to be multiplied with.
struct RowRange {
  int64_t begin;
  int64_t end;
  int64_t count;
};
inline float SoftmaxRow(const RowRange& range, float* scores, float& max, float& sum) {
  const Vec lowest = Set(-__builtin_inff());
  if (range.begin >= range.end) {
    for (int64_t p = 0; p < range.count; p += kLanes) Store(scores + p, Zero());
    return 1.0F;
  }
  Vec largest = lowest;
  for (int64_t p = 0; p < range.count; p += kLanes) {
    const Vec s = SelectRange(Load(scores + p), range.begin - p, range.end - p, lowest);
    Store(scores + p, s);
    largest = Max(s, largest);
  }
  const float step_max = MaxLanes(largest);
  const float new_max = step_max > max ? step_max : max;
  Vec total = Zero();
  for (int64_t p = 0; p < range.count; p += kLanes) {
    const Vec weight = Exp2(Sub(Load(scores + p), Set(new_max)));
    Store(scores + p, weight);
    total = Add(total, weight);
  }
  float correction[kLanes];
  Store(correction, Exp2(Set(max - new_max)));
  max = new_max;
  sum = sum * correction[0] + SumLanes(total);
  return correction[0];
}

// A step: up to kKvStep positions beginning at `position` of the split, `count` of them seen by some row.
template <typename Elements>
struct AttentionStep {
  const AttentionTask& task;
  const RowTiles& tiles;
  const AttentionScratch& scratch;
  const AttentionState& state;
  int64_t position;
  int64_t count;

  int64_t Blocks() const { return (count + kKvBlock - 1) / kKvBlock; }
  const std::byte* Keys(int64_t block) const { return task.keys[position / kKvBlock + block]; }
  const std::byte* Values(int64_t block) const { return task.values[position / kKvBlock + block]; }

  // Many rows share a block: convert it once. A single tile converts in registers.
  bool Converts() const { return tiles.count > 1; }

  void Scores() const {
    for (int64_t block = 0; block < Blocks(); ++block) {
      const auto* keys = reinterpret_cast<const typename Elements::Element*>(Keys(block));
      if (Converts()) {
        for (int64_t i = 0; i < task.key_dim * kKvBlock; i += kLanes) {
          Store(scratch.converted + i, Elements::LoadVec(keys + i));
        }
      }
      for (int64_t tile = 0; tile < tiles.count; ++tile) {
        const int64_t row = tiles.Begin(tile);
        const float* queries = scratch.queries + row * task.key_dim;
        float* scores = scratch.scores + row * kKvStep + block * kKvBlock;
        if (Converts()) {
          ScoreRows<ElementsF32>(tiles.Size(tile), queries, scratch.converted, task.key_dim, scores);
        } else {
          ScoreRows<Elements>(tiles.Size(tile), queries, keys, task.key_dim, scores);
        }
      }
    }
  }

  // Multiplies rows' scores (keys) or weights (values) by the positions' scales.
  void ApplyScales(bool of_keys) const {
    if constexpr (Elements::kScaled) {
      for (int64_t block = 0; block < Blocks(); ++block) {
        const float* scales = of_keys ? Scales<Elements>(Keys(block), task.key_dim)
                                      : Scales<Elements>(Values(block), ValueStride(task.value_dim));
        for (int64_t row = 0; row < tiles.rows; ++row) {
          float* x = scratch.scores + row * kKvStep + block * kKvBlock;
          for (int p = 0; p < kKvBlock; p += kLanes) Store(x + p, Mul(Load(x + p), Load(scales + p)));
        }
      }
    }
  }

  void Softmax() const {
    const int64_t count_padded = Blocks() * kKvBlock;
    for (int64_t row = 0; row < tiles.rows; ++row) {
      const int64_t token = task.position + row / task.group - position;  // relative to the step
      RowRange range{.begin = 0, .end = token + 1 < count ? token + 1 : count, .count = count_padded};
      if (task.window > 0 && token - task.window + 1 > 0) range.begin = token - task.window + 1;
      scratch.corrections[row] =
          SoftmaxRow(range, scratch.scores + row * kKvStep, state.maxima[row], state.sums[row]);
    }
  }

  // One tile of rows: block by block as the values lie in memory.
  void ValuesInPlace() const {
    const int64_t stride = ValueStride(task.value_dim);
    for (int64_t block = 0; block < Blocks(); ++block) {
      const auto* values = reinterpret_cast<const typename Elements::Element*>(Values(block));
      const int64_t rest = count - block * kKvBlock;
      ValueTileArgs args{.weights = scratch.scores + block * kKvBlock, .values = values, .value_stride = stride,
                         .count = rest < kKvBlock ? rest : kKvBlock,
                         .maybe_corrections = block == 0 ? scratch.corrections : nullptr,
                         .sums = state.values, .sum_stride = stride};
      int64_t i = 0;
      for (; i + kTileVectors * kLanes <= stride; i += kTileVectors * kLanes) {
        args.values = values + i;
        args.sums = state.values + i;
        ValueRows<Elements, kTileVectors>(tiles.Size(0), args);
      }
      for (; i < stride; i += kLanes) {
        args.values = values + i;
        args.sums = state.values + i;
        ValueRows<Elements, 1>(tiles.Size(0), args);
      }
    }
  }

  // All tiles, with `C` vectors of the values beginning at `i` converted once for all of them.
  template <int C>
  void ValueColumns(int64_t i) const {
    const int64_t stride = ValueStride(task.value_dim);
    for (int64_t p = 0; p < count; ++p) {
      const auto* values = reinterpret_cast<const typename Elements::Element*>(Values(p / kKvBlock)) +
                           p % kKvBlock * stride + i;
      for (int c = 0; c < C; ++c) {
        Store(scratch.converted + (p * C + c) * kLanes, Elements::LoadVec(values + c * kLanes));
      }
    }
    for (int64_t tile = 0; tile < tiles.count; ++tile) {
      const int64_t row = tiles.Begin(tile);
      ValueRows<ElementsF32, C>(
          tiles.Size(tile),
          {.weights = scratch.scores + row * kKvStep, .values = scratch.converted, .value_stride = C * kLanes,
           .count = count, .maybe_corrections = scratch.corrections + row,
           .sums = state.values + row * stride + i, .sum_stride = stride});
    }
  }

  void ValuesConverted() const {
    const int64_t stride = ValueStride(task.value_dim);
    int64_t i = 0;
    for (; i + kTileVectors * kLanes <= stride; i += kTileVectors * kLanes) ValueColumns<kTileVectors>(i);
    for (; i < stride; i += kLanes) ValueColumns<1>(i);
  }

  void Run() const {
    Scores();
    ApplyScales(true);
    Softmax();
    ApplyScales(false);
    if (Converts()) {
      ValuesConverted();
    } else {
      ValuesInPlace();
    }
  }
};

template <typename Elements>
void Attend(const AttentionTask& task, const AttentionState& out) noexcept {
  const RowTiles tiles(int64_t{task.tokens} * task.group);
  const AttentionScratch scratch = CutScratch(task, tiles.rows);
  PackQueries(task, tiles, scratch.queries);
  for (int64_t row = 0; row < tiles.rows; ++row) {
    out.maxima[row] = -__builtin_inff();
    out.sums[row] = 0;
  }
  std::memset(out.values, 0, static_cast<size_t>(tiles.rows * ValueStride(task.value_dim)) * sizeof(float));
  const int64_t last = int64_t{task.position} + task.tokens;  // one past what the last token sees
  const int64_t end = last < kKvSplit ? last : kKvSplit;
  int64_t begin = 0;
  if (task.window > 0 && task.position - task.window + 1 > 0) {
    begin = (task.position - task.window + 1) / kKvStep * kKvStep;  // steps that no row sees
  }
  for (int64_t position = begin; position < end; position += kKvStep) {
    const int64_t count = end - position < kKvStep ? end - position : kKvStep;
    AttentionStep<Elements>{task, tiles, scratch, out, position, count}.Run();
  }
}

void JoinStates(const AttentionState& next, int64_t rows, int64_t value_dim, const AttentionState& state) noexcept {
  const int64_t stride = ValueStride(value_dim);
  for (int64_t row = 0; row < rows; ++row) {
    if (next.sums[row] == 0) continue;
    const float max = next.maxima[row] > state.maxima[row] ? next.maxima[row] : state.maxima[row];
    const Vec keep = Exp2(Set(state.maxima[row] - max));
    const Vec take = Exp2(Set(next.maxima[row] - max));
    float* values = state.values + row * stride;
    for (int64_t i = 0; i < stride; i += kLanes) {
      Store(values + i, Fma(Load(next.values + row * stride + i), take, Mul(Load(values + i), keep)));
    }
    float factors[2 * kLanes];
    Store(factors, keep);
    Store(factors + kLanes, take);
    state.sums[row] = state.sums[row] * factors[0] + next.sums[row] * factors[kLanes];
    state.maxima[row] = max;
  }
}

void FinishRow(const float* values, float sum, int64_t value_dim, float* out) noexcept {
  const Vec inverse = Set(1.0F / sum);
  ForVectors(value_dim, [&](int64_t i, auto load, auto store) { store(out + i, Mul(load(values + i), inverse)); });
}
