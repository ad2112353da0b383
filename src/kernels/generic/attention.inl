// Attention over KV blocks with online softmax (Milakov & Gimelshein 2018; FlashAttention, Dao 2022), over the vector
// vocabulary. attention.h says what is computed and how a block is laid out.
//
// A row's numbers go through the same operations in the same order whatever the other rows are: how many rows share
// a tile, and whether keys are converted in registers or beforehand (both exact), changes no bit.

// How elements of the KV cache are read. kScaled: a scale for each position stands behind them.
struct ElementsF32 {
  using Element = float;
  static constexpr bool kScaled = false;
  static constexpr bool kPrefetches = false;
  static Vec LoadVec(const Element* p) { return Load(p); }
};
struct ElementsF16 {
  using Element = uint16_t;
  static constexpr bool kScaled = false;
  static constexpr bool kPrefetches = true;
  static constexpr KvType kType = KvType::kF16;
  static Vec LoadVec(const Element* p) { return LoadF16(p); }
};
struct ElementsBf16 {
  using Element = uint16_t;
  static constexpr bool kScaled = false;
  static constexpr bool kPrefetches = true;
  static constexpr KvType kType = KvType::kBF16;
  static Vec LoadVec(const Element* p) { return LoadBf16(p); }
};
struct ElementsI8 {
  using Element = int8_t;
  static constexpr bool kScaled = true;
  static constexpr bool kPrefetches = true;
  static constexpr KvType kType = KvType::kQ8;
  static Vec LoadVec(const Element* p) { return LoadI8(p); }
};

// The F32 scales behind a head's `dim` (keys) or ValueStride (values) elements per position.
template <typename Elements>
inline const float* Scales(const std::byte* head, int64_t dim) {
  return reinterpret_cast<const float*>(head + static_cast<size_t>(dim) * kKvBlock * sizeof(typename Elements::Element));
}

inline constexpr int kTileVectors = 2;  // vectors of positions (scores) or of values in a tile
static_assert(kKvBlock % (kTileVectors * kLanes) == 0);

// scores[r, p] = sum over d of queries[d, r] * keys[d, p] for the kKvBlock positions of one block, R rows.
// queries [key_dim, R], keys [key_dim, kKvBlock], scores [R, kKvStep].
struct ScoreTileArgs {
  const float* queries;
  const void* keys;
  int64_t key_dim;
  const std::byte* next;  // as many bytes as the keys, wanted in the cache next
  float* scores;
};
template <typename Elements, int R>
void ScoreTile(const ScoreTileArgs& args) {
  constexpr int kPass = kTileVectors * kLanes;
  constexpr int64_t kKeyBytes = kKvBlock * sizeof(typename Elements::Element);
  const int64_t key_dim = args.key_dim;
  const float* queries = args.queries;
  const std::byte* next = args.next;
  float* scores = args.scores;
  for (int pass = 0; pass < kKvBlock; pass += kPass) {
    const auto* k = static_cast<const typename Elements::Element*>(args.keys) + pass;
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
      if constexpr (Elements::kPrefetches) Prefetch(next + d * kKeyBytes);
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
  const float* weights = nullptr;
  const void* values = nullptr;
  const std::byte* next = nullptr;           // as many bytes as the values read here, wanted in the cache next
  int64_t value_stride = 0;
  int64_t count = 0;
  const float* maybe_corrections = nullptr;  // null: all 1
  float* sums = nullptr;
  int64_t sum_stride = 0;
};
template <typename Elements, int R, int C>
void ValueTile(const ValueTileArgs& args) {
  constexpr int64_t kChunkBytes = C * kLanes * sizeof(typename Elements::Element);
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
    if constexpr (Elements::kPrefetches) Prefetch(args.next + p * kChunkBytes);
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
inline void ScoreRows(int rows, const ScoreTileArgs& args) {
  if (rows == R) return ScoreTile<Elements, R>(args);
  if constexpr (R > 1) ScoreRows<Elements, R - 1>(rows, args);
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
  float* scores;       // [kScratchRows, kKvStep] of one tile; the softmax's weights after Softmax
  float* corrections;  // [kScratchRows]
  float* keys;         // [blocks of a step, key_dim, kKvBlock], converted
  float* values;       // [chunks of kTileVectors vectors, positions of a step, the chunk's values], converted
  float* queries;      // [row tiles, key_dim, rows of the tile]
};
static_assert(kTileRows <= kScratchRows && kScratchRows % kLanes == 0);

inline AttentionScratch CutScratch(const AttentionTask& task) {
  AttentionScratch scratch;
  scratch.scores = task.scratch;
  scratch.corrections = scratch.scores + kScratchRows * kKvStep;
  scratch.keys = scratch.corrections + kScratchRows;
  scratch.values = scratch.keys + int64_t{kKvStep} * task.key_dim;
  scratch.queries = scratch.values + kKvStep * ValueStride(task.value_dim);
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

// The scores of a row's step that count: [begin, end) of `count`, which is a whole number of blocks.
struct RowRange {
  int64_t begin;
  int64_t end;
  int64_t count;
  bool Empty() const { return begin >= end; }
};

// Scores outside the range become -infinity. Returns the largest inside.
inline float MaskAndMax(const RowRange& range, float* scores) {
  const Vec lowest = Set(-__builtin_inff());
  Vec largest = lowest;
  if (range.begin <= 0 && range.end >= range.count) {
    for (int64_t p = 0; p < range.count; p += kLanes) largest = Max(Load(scores + p), largest);
    return MaxLanes(largest);
  }
  for (int64_t p = 0; p < range.count; p += kLanes) {
    const Vec s = SelectRange(Load(scores + p), range.begin - p, range.end - p, lowest);
    Store(scores + p, s);
    largest = Max(s, largest);
  }
  return MaxLanes(largest);
}

// Scores become weights 2^(score - max). Returns their sum.
inline float WeightsOf(int64_t count, float max, float* scores) {
  const Vec shift = Set(max);
  Vec total = Zero();
  for (int64_t p = 0; p < count; p += kLanes) {
    const Vec weight = Exp2(Sub(Load(scores + p), shift));
    Store(scores + p, weight);
    total = Add(total, weight);
  }
  return SumLanes(total);
}

// A step: up to kKvStep positions beginning at `position` of the split, `count` of them seen by some row.
template <typename Elements>
struct AttentionStep {
  using Element = typename Elements::Element;

  const AttentionTask& task;
  const RowTiles& tiles;
  const AttentionScratch& scratch;
  const AttentionState& state;
  int64_t position;
  int64_t count;
  int64_t end;  // of the positions that some row sees in the whole split

  int64_t Blocks() const { return (count + kKvBlock - 1) / kKvBlock; }
  int64_t Stride() const { return ValueStride(task.value_dim); }
  const std::byte* Keys(int64_t block) const { return task.keys[position / kKvBlock + block]; }
  const std::byte* Values(int64_t block) const { return task.values[position / kKvBlock + block]; }
  const Element* ValuesOf(int64_t p) const {
    return reinterpret_cast<const Element*>(Values(p / kKvBlock)) + p % kKvBlock * Stride();
  }

  // What is read after a block's keys or values: a block is prefetched while the one before it is worked on.
  const std::byte* NextAfterKeys(int64_t block) const {
    return block + 1 < Blocks() ? Keys(block + 1) : Values(0);
  }
  const std::byte* NextAfterValues(int64_t block) const {
    if (block + 1 < Blocks()) return Values(block + 1);
    return position + kKvStep < end ? Keys(Blocks()) : Values(block);
  }

  // Many tiles share the step: its keys and values are converted once. Few tiles convert in registers.
  bool Converts() const {
    constexpr int64_t kTilesInPlace = 2;
    return tiles.count > kTilesInPlace;
  }
  void Convert() const {
    for (int64_t block = 0; block < Blocks(); ++block) {
      const auto* keys = reinterpret_cast<const Element*>(Keys(block));
      const auto* next = reinterpret_cast<const Element*>(NextAfterKeys(block));
      float* out = scratch.keys + block * kKvBlock * task.key_dim;
      for (int64_t i = 0; i < task.key_dim * kKvBlock; i += kKvBlock) {
        Prefetch(next + i);
        for (int64_t j = i; j < i + kKvBlock; j += kLanes) Store(out + j, Elements::LoadVec(keys + j));
      }
    }
    constexpr int64_t kChunk = kTileVectors * kLanes;
    for (int64_t p = 0; p < count; ++p) {
      const Element* values = ValuesOf(p);
      const auto* next = reinterpret_cast<const Element*>(NextAfterValues(p / kKvBlock)) + p % kKvBlock * Stride();
      for (int64_t i = 0; i < Stride(); i += kLanes) {
        Prefetch(next + i);
        const int64_t chunk = i / kChunk * kChunk;
        const int64_t width = Stride() - chunk < kChunk ? Stride() - chunk : kChunk;
        Store(scratch.values + chunk * kKvStep + p * width + i - chunk, Elements::LoadVec(values + i));
      }
    }
  }

  void Scores(int64_t tile) const {
    for (int64_t block = 0; block < Blocks(); ++block) {
      ScoreTileArgs args{.queries = scratch.queries + tiles.Begin(tile) * task.key_dim,
                         .keys = Keys(block),
                         .key_dim = task.key_dim,
                         .next = NextAfterKeys(block),
                         .scores = scratch.scores + block * kKvBlock};
      if (!Converts()) {
        ScoreRows<Elements>(tiles.Size(tile), args);
        continue;
      }
      args.keys = scratch.keys + block * kKvBlock * task.key_dim;
      ScoreRows<ElementsF32>(tiles.Size(tile), args);
    }
  }

  // Multiplies a tile's scores (keys) or weights (values) by the positions' scales.
  void ApplyScales(int64_t tile, bool of_keys) const {
    if constexpr (Elements::kScaled) {
      for (int64_t block = 0; block < Blocks(); ++block) {
        const float* scales = of_keys ? Scales<Elements>(Keys(block), task.key_dim)
                                      : Scales<Elements>(Values(block), Stride());
        for (int64_t row = 0; row < tiles.Size(tile); ++row) {
          float* x = scratch.scores + row * kKvStep + block * kKvBlock;
          for (int p = 0; p < kKvBlock; p += kLanes) Store(x + p, Mul(Load(x + p), Load(scales + p)));
        }
      }
    }
  }

  RowRange RangeOf(int64_t row) const {
    const int64_t token = task.position + row / task.group - position;  // relative to the step
    const int64_t begin = task.window > 0 ? token - task.window + 1 : 0;
    return {.begin = begin > 0 ? begin : 0, .end = token + 1 < count ? token + 1 : count,
            .count = Blocks() * kKvBlock};
  }

  // Online softmax: a tile's scores become weights, the state's maxima and sums move on, and `corrections` is what each
  // row's sums so far are to be multiplied with.
  void Softmax(int64_t tile) const {
    float* maxima = state.maxima + tiles.Begin(tile);
    float* sums = state.sums + tiles.Begin(tile);
    for (int64_t row = 0; row < tiles.Size(tile); ++row) {
      const RowRange range = RangeOf(tiles.Begin(tile) + row);
      const float old_max = maxima[row];
      float max = old_max;
      if (!range.Empty()) {
        const float step_max = MaskAndMax(range, scratch.scores + row * kKvStep);
        max = step_max > old_max ? step_max : old_max;
      }
      maxima[row] = max;
      scratch.corrections[row] = max == old_max ? 0.0F : old_max - max;  // equal infinities have no difference
    }
    for (int64_t row = 0; row < tiles.Size(tile); row += kLanes) {  // the scratch is padded
      Store(scratch.corrections + row, Exp2(Load(scratch.corrections + row)));
    }
    for (int64_t row = 0; row < tiles.Size(tile); ++row) {
      const RowRange range = RangeOf(tiles.Begin(tile) + row);
      float* scores = scratch.scores + row * kKvStep;
      if (range.Empty()) {
        std::memset(scores, 0, static_cast<size_t>(range.count) * sizeof(float));
        continue;
      }
      const float sum = WeightsOf(range.count, maxima[row], scores);
      sums[row] = sums[row] * scratch.corrections[row] + sum;
    }
  }

  // `C` vectors of values beginning at `i`, of positions [begin, begin + count) of the step.
  template <typename From, int C>
  void ValueColumns(int64_t tile, int64_t begin, ValueTileArgs args) const {
    args.weights = scratch.scores + begin;
    args.maybe_corrections = begin == 0 ? scratch.corrections : nullptr;
    args.sum_stride = Stride();
    ValueRows<From, C>(tiles.Size(tile), args);
  }

  // Values as they lie in memory: block by block.
  void ValuesInPlace(int64_t tile) const {
    for (int64_t begin = 0; begin < count; begin += kKvBlock) {
      const std::byte* next = NextAfterValues(begin / kKvBlock);
      float* sums = state.values + tiles.Begin(tile) * Stride();
      for (int64_t i = 0; i < Stride();) {
        const ValueTileArgs args{.values = ValuesOf(begin) + i,
                                 .next = next + i * kKvBlock * static_cast<int64_t>(sizeof(Element)),
                                 .value_stride = Stride(),
                                 .count = count - begin < kKvBlock ? count - begin : kKvBlock,
                                 .sums = sums + i};
        if (i + kTileVectors * kLanes <= Stride()) {
          ValueColumns<Elements, kTileVectors>(tile, begin, args);
          i += kTileVectors * kLanes;
        } else {
          ValueColumns<Elements, 1>(tile, begin, args);
          i += kLanes;
        }
      }
    }
  }

  // Converted values: chunk by chunk over the whole step.
  void ValuesConverted(int64_t tile) const {
    constexpr int64_t kChunk = kTileVectors * kLanes;
    static_assert(kTileVectors == 2 && kValueLanes % kLanes == 0);
    float* sums = state.values + tiles.Begin(tile) * Stride();
    for (int64_t chunk = 0; chunk < Stride(); chunk += kChunk) {
      const int64_t width = Stride() - chunk < kChunk ? Stride() - chunk : kChunk;
      const ValueTileArgs args{.values = scratch.values + chunk * kKvStep, .value_stride = width, .count = count,
                               .sums = sums + chunk};
      if (width == kChunk) {
        ValueColumns<ElementsF32, kTileVectors>(tile, 0, args);
      } else {
        ValueColumns<ElementsF32, 1>(tile, 0, args);
      }
    }
  }

  void Run() const {
    if (Converts()) Convert();
    for (int64_t tile = 0; tile < tiles.count; ++tile) {
      Scores(tile);
      ApplyScales(tile, true);
      Softmax(tile);
      ApplyScales(tile, false);
      if (Converts()) {
        ValuesConverted(tile);
      } else {
        ValuesInPlace(tile);
      }
    }
  }
};

template <typename Elements>
void Attend(const AttentionTask& task, const AttentionState& out) noexcept {
  const RowTiles tiles(int64_t{task.tokens} * task.group);
  const AttentionScratch scratch = CutScratch(task);
  if (!task.queries_packed) PackQueries(task, tiles, scratch.queries);
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
    AttentionStep<Elements>{task, tiles, scratch, out, position, count, end}.Run();
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
