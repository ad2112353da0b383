// Products with many columns (prompts), limited by arithmetic. Included inside a level's anonymous namespace, last.
//
// A block is two vectors of rows. A piece of it, up to kPieceChunks chunks long, is unpacked to bytes and F32 scales in
// the L1 cache; then passes of up to kPassColumns columns run over it, with both vectors at once where the level has
// registers for that: each input is then read once for both. The next piece's packed bytes are fetched a share a pass (all
// at once, inputs and sums wait behind them), and a pass's outputs before the last piece's sums are there.

inline constexpr int kBlockVectors = 2;
inline constexpr int kBlockTiles = kBlockVectors * kLanes / kTileRows;  // 2, or 1 of two halves
inline constexpr int kBlockRows = kBlockTiles * kTileRows;
// With what is fetched meanwhile, three chunks of two tiles would not stay in 48 KiB.
inline constexpr int kPieceChunks = 2;

// A chunk of one tile, unpacked.
struct alignas(64) UnpackedChunk {
  uint8_t codes[kGroupsPerChunk * 8][kVectorBytes];     // [group * 8 + quad]
  float scales[kGroupsPerChunk * 2][kTileRows];         // [group * scales a group + i]
  float mins[kGroupsPerChunk * 2][kTileRows];
};
// From a vector of rows to the block's next one, in codes, scales and minimums alike.
inline constexpr size_t kVectorStep = kLanes == kTileRows ? sizeof(UnpackedChunk) : 4 * kLanes;

template <DType kType>
void UnpackChunk(const uint8_t* chunk, int groups, UnpackedChunk& out) noexcept {
  using T = Traits<kType>;
  const uint8_t* scales = chunk + groups * T::kGroupBytes;
  for (int lane = 0; lane < kTileRows; lane += kLanes) {
    const SuperScales super = LoadSuperScales<kType>(scales, lane);
    for (int g = 0; g < groups; ++g) {
      Codes quads[8];
      LoadGroup<kType>(chunk + g * T::kGroupBytes, lane, quads);
      for (int q = 0; q < 8; ++q) StoreCodes(out.codes[g * 8 + q] + 4 * lane, quads[q]);
      const GroupScales s = LoadScales<kType>(scales, super, g, lane);
      for (int i = 0; i < T::kScalesPerGroup; ++i) {
        StoreF32(out.scales[g * T::kScalesPerGroup + i] + lane, s.scale[i]);
        if constexpr (T::kMinimums) StoreF32(out.mins[g * T::kScalesPerGroup + i] + lane, s.min[i]);
      }
    }
  }
}

// One pass over an unpacked piece.
struct Pass {
  const UnpackedChunk* weights;        // [chunks][kBlockTiles]
  int64_t cols;                        // inputs of the piece
  bool first_piece;                    // sums are not added to but written
  ChunkColumns x;                      // of the piece's first chunk
  int64_t columns;                     // of all passes: from one chunk of x to the next
  float* sums;                         // [columns of the pass][kBlockRows]
  const uint8_t* next[kBlockTiles];    // packed bytes to fetch meanwhile
  int next_lines;                      // of 64 bytes, for each tile and group
};

// `offset` bytes behind a row of one chunk: a row of another tile's.
PT_INLINE F32 LoadBehind(const float* row, size_t offset) { return LoadF32(row + offset / sizeof(float)); }

template <typename Class, int kVectors>
PT_INLINE void LoadUnpackedScales(const UnpackedChunk& chunk, int g, size_t offset, GroupScales (&s)[kVectors]) {
  for (int v = 0; v < kVectors; ++v, offset += kVectorStep) {
    s[v] = {{ZeroF32(), ZeroF32()}, {ZeroF32(), ZeroF32()}};
    for (int i = 0; i < Class::kScales; ++i) {
      s[v].scale[i] = LoadBehind(chunk.scales[g * Class::kScales + i], offset);
      if constexpr (Class::kMinimums) s[v].min[i] = LoadBehind(chunk.mins[g * Class::kScales + i], offset);
    }
  }
}

// kVectorsAtOnce of the block's vectors, from `first` on.
template <typename Class, int kColumns>
PT_INLINE void AddVectors(const Pass& pass, int first) {
  const size_t offset = static_cast<size_t>(first) * kVectorStep;
  float* sums = pass.sums + first * kLanes;
  F32 acc[kVectorsAtOnce][kColumns];
  for (int c = 0; c < kColumns; ++c) {
    for (int v = 0; v < kVectorsAtOnce; ++v) {
      acc[v][c] = pass.first_piece ? ZeroF32() : LoadF32(sums + c * kBlockRows + v * kLanes);
    }
  }
  ChunkColumns x = pass.x;
  const UnpackedChunk* chunk = pass.weights;
  int64_t next = 0;
  for (int64_t begin = 0; begin < pass.cols; begin += kChunk, chunk += kBlockTiles) {
    const int groups = GroupsAt(pass.cols, begin);
    for (int g = 0; g < groups; ++g, next += pass.next_lines) {
      for (int64_t line = next; line < next + pass.next_lines; ++line) {
        for (int t = 0; t < kBlockTiles; ++t) Prefetch(pass.next[t] + 64 * line);
      }
      GroupScales s[kVectorsAtOnce];
      LoadUnpackedScales<Class>(*chunk, g, offset, s);
      const uint8_t* codes = chunk->codes[g * 8];
      codes += offset;
      const auto quad = [codes](int v, int q) { return LoadCodes(codes + v * kVectorStep + q * kVectorBytes); };
      AddGroup<Class>(acc, quad, s, x, g);
    }
    x.codes += pass.columns * kChunk;
    x.scales += pass.columns * kGroupsPerChunk;
    x.terms = static_cast<const int32_t*>(x.terms) + pass.columns * Class::kTermsPerChunk;
  }
  for (int c = 0; c < kColumns; ++c) {
    for (int v = 0; v < kVectorsAtOnce; ++v) StoreF32(sums + c * kBlockRows + v * kLanes, acc[v][c]);
  }
}

template <typename Class, int kColumns>
void RunPass(const Pass& pass) noexcept {
  for (int first = 0; first < kBlockVectors; first += kVectorsAtOnce) AddVectors<Class, kColumns>(pass, first);
}

using RunPassFunction = void (*)(const Pass&) noexcept;

template <typename Class>
inline constexpr int kPassColumns = Class::kScales == 1 ? kColumnsPerPass : kColumnsPerPassOfHalves;

// Passes have sizes that differ by one at most, so small ones do not occur: of more than kFewColumns columns none has
// fewer than this.
constexpr int LeastColumns(int columns_max) {
  int least = columns_max;
  for (int columns = kFewColumns + 1; columns <= kColumnsMax; ++columns) {
    const int passes = (columns + columns_max - 1) / columns_max;
    least = columns / passes < least ? columns / passes : least;
  }
  return least;
}
template <typename Class>
inline constexpr int kLeastColumns = LeastColumns(kPassColumns<Class>);

template <typename Class, int... kColumns>
PT_INLINE RunPassFunction ChooseRunPass(int columns, IntList<kColumns...>) {
  static constexpr RunPassFunction kFunctions[] = {RunPass<Class, kColumns + kLeastColumns<Class>>...};
  return kFunctions[columns - kLeastColumns<Class>];
}
template <typename Class>
RunPassFunction RunPassOf(int columns) noexcept {
  return ChooseRunPass<Class>(columns, typename MakeIntList<kPassColumns<Class> - kLeastColumns<Class> + 1>::Type());
}

// What the code below needs to know of a type.
struct ManyType {
  void (*unpack)(const uint8_t* chunk, int groups, UnpackedChunk& out) noexcept;
  RunPassFunction (*pass_of)(int columns) noexcept;
  int columns_per_pass;
  size_t chunk_bytes;
  int next_lines;  // a group's share of a chunk, in lines of 64 bytes
  int terms_per_chunk;
};

// A block, and the chunks [begin, end) of the piece at hand.
struct Piece {
  const uint8_t* tiles[kBlockTiles];  // the first one twice where the rows end before the block does
  const uint8_t* next[kBlockTiles];   // what will be unpacked after this piece
  int tile_count;
  int64_t row0;
  int64_t begin;
  int64_t end;
  bool last;
};

void UnpackPiece(const ManyType& type, const Piece& piece, int64_t cols, UnpackedChunk* out) noexcept {
  for (int64_t chunk = piece.begin; chunk < piece.end; ++chunk) {
    const size_t offset = static_cast<size_t>(chunk) * type.chunk_bytes;
    for (int t = 0; t < kBlockTiles; ++t) type.unpack(piece.tiles[t] + offset, GroupsAt(cols, chunk * kChunk), *out++);
  }
}

// sums [columns, kBlockRows] += the piece times all columns; the last piece's go to the outputs.
void RunPasses(const ProductArgs& args, const ManyType& type, const Piece& piece, const UnpackedChunk* unpacked,
               float* sums) noexcept {
  const auto columns = static_cast<int>(args.columns);
  const int passes = (columns + type.columns_per_pass - 1) / type.columns_per_pass;
  const int64_t end = piece.end * kChunk < args.cols ? piece.end * kChunk : args.cols;
  const auto groups = static_cast<size_t>(piece.end - piece.begin) * kGroupsPerChunk;
  int first = 0;
  int first_line = 0;
  for (int p = 1; p <= passes; ++p) {
    const int last = columns * p / passes;
    const int last_line = type.next_lines * p / passes;
    Pass pass = {.weights = unpacked, .cols = end - piece.begin * kChunk, .first_piece = piece.begin == 0,
                 .x = ColumnsAt(args, piece.begin, first, type.terms_per_chunk), .columns = columns,
                 .sums = sums + first * kBlockRows, .next = {}, .next_lines = last_line - first_line};
    for (int t = 0; t < kBlockTiles; ++t) pass.next[t] = piece.next[t] + 64 * groups * static_cast<size_t>(first_line);
    float* out = args.out + first * args.out_stride + piece.row0;
    for (int c = first; piece.last && c < last; ++c, out += args.out_stride) {
      for (int t = 0; t < piece.tile_count; ++t) Prefetch(out + t * kTileRows);
    }
    type.pass_of(last - first)(pass);
    for (int c = first; piece.last && c < last; ++c) {
      for (int t = 0; t < piece.tile_count; ++t) {
        StoreSums(args, piece.row0 + t * kTileRows, c, sums + c * kBlockRows + t * kTileRows);
      }
    }
    first = last;
    first_line = last_line;
  }
}

void MultiplyBlocks(const ProductArgs& args, const ManyType& type, size_t tile_bytes) noexcept {
  alignas(64) float sums[kColumnsMax * kBlockRows];
  UnpackedChunk unpacked[kPieceChunks * kBlockTiles];
  const int64_t chunks = (args.cols + kChunk - 1) / kChunk;
  const int64_t pieces = (chunks + kPieceChunks - 1) / kPieceChunks;
  const uint8_t* tiles = args.tiles;
  for (int64_t row0 = 0; row0 < args.rows; row0 += kBlockRows, tiles += kBlockTiles * tile_bytes) {
    Piece piece = {};
    piece.row0 = row0;
    piece.tile_count = row0 + kTileRows < args.rows ? kBlockTiles : 1;
    for (int t = 0; t < kBlockTiles; ++t) piece.tiles[t] = tiles + (t < piece.tile_count ? t * tile_bytes : 0);
    for (int64_t p = 0; p < pieces; ++p) {
      piece.begin = chunks * p / pieces;
      piece.end = chunks * (p + 1) / pieces;
      piece.last = p + 1 == pieces;
      const size_t ahead = piece.last ? kBlockTiles * tile_bytes : static_cast<size_t>(piece.end) * type.chunk_bytes;
      for (int t = 0; t < kBlockTiles; ++t) piece.next[t] = piece.tiles[t] + ahead;
      UnpackPiece(type, piece, args.cols, unpacked);
      RunPasses(args, type, piece, unpacked, sums);
    }
  }
}

template <DType kType>
void MultiplyMany(const ProductArgs& args) noexcept {
  using T = Traits<kType>;
  constexpr int kLinesOfGroup = static_cast<int>((T::kChunkBytes / 64 + kGroupsPerChunk - 1) / kGroupsPerChunk);
  constexpr ManyType kMany = {.unpack = UnpackChunk<kType>, .pass_of = RunPassOf<ClassOf<kType>>,
                              .columns_per_pass = kPassColumns<ClassOf<kType>>, .chunk_bytes = T::kChunkBytes,
                              .next_lines = kLinesOfGroup, .terms_per_chunk = T::kTermsPerChunk};
  MultiplyBlocks(args, kMany, PackedTileBytes(kType, args.cols));
}

template <DType... kTypes>
void FillMany(MatMulKernels& kernels, TypeList<kTypes...>) {
  ((kernels.weights[static_cast<int>(kTypes)].multiply_many = MultiplyMany<kTypes>), ...);
}
