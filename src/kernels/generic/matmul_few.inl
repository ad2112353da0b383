// Products with few columns (decode), limited by reading the weights: codes are unpacked in registers, each read once
// from memory. Included inside a level's anonymous namespace, last.

template <DType kType, int kColumns>
PT_INLINE void AddTile(const ProductArgs& args, const uint8_t* tile, int lane, int64_t column,
                       float (&sums)[kColumns][kTileRows]) {
  using T = Traits<kType>;
  F32 acc[1][kColumns];
  for (int c = 0; c < kColumns; ++c) acc[0][c] = ZeroF32();
  const uint8_t* chunk = tile;
  for (int64_t begin = 0; begin < args.cols; begin += kChunk, chunk += T::kChunkBytes) {
    const int groups = GroupsAt(args.cols, begin);
    const uint8_t* scales = chunk + groups * T::kGroupBytes;
    const ChunkColumns x = ColumnsAt(args, begin / kChunk, column, T::kTermsPerChunk);
    const SuperScales super = LoadSuperScales<kType>(scales, lane);
    for (int g = 0; g < groups; ++g) {
      const uint8_t* group = chunk + g * T::kGroupBytes;
      for (int i = 0; i < T::kGroupBytes; i += 64) Prefetch(group + i + kPrefetchBytes);
      Codes quads[8];
      LoadGroup<kType>(group, lane, quads);
      const GroupScales s[1] = {LoadScales<kType>(scales, super, g, lane)};
      AddGroup<ClassOf<kType>>(acc, [&quads](int, int q) { return quads[q]; }, s, x, g);
    }
  }
  for (int c = 0; c < kColumns; ++c) StoreF32(sums[c] + lane, acc[0][c]);
}

template <DType kType, int kColumns>
void MultiplyColumns(const ProductArgs& args, int64_t column) noexcept {
  const size_t tile_bytes = PackedTileBytes(kType, args.cols);
  const uint8_t* tile = args.tiles;
  for (int64_t row0 = 0; row0 < args.rows; row0 += kTileRows, tile += tile_bytes) {
    alignas(64) float sums[kColumns][kTileRows];
    for (int lane = 0; lane < kTileRows; lane += kLanes) {
      AddTile<kType, kColumns>(args, tile, lane, column, sums);
    }
    for (int c = 0; c < kColumns; ++c) StoreSums(args, row0, column + c, sums[c]);
  }
}

using MultiplyColumnsFunction = void (*)(const ProductArgs&, int64_t) noexcept;

template <DType kType, int... kColumns>
PT_INLINE MultiplyColumnsFunction ChooseMultiplyColumns(int64_t columns, IntList<kColumns...>) {
  static constexpr MultiplyColumnsFunction kFunctions[] = {MultiplyColumns<kType, kColumns + 1>...};
  return kFunctions[columns - 1];
}

template <DType kType>
void MultiplyFew(const ProductArgs& args) noexcept {
  for (int64_t column = 0; column < args.columns; column += kColumnsAtOnce) {
    const int64_t rest = args.columns - column;
    const int64_t count = rest < kColumnsAtOnce ? rest : kColumnsAtOnce;
    ChooseMultiplyColumns<kType>(count, MakeIntList<kColumnsAtOnce>::Type())(args, column);
  }
}

template <DType... kTypes>
void FillFew(MatMulKernels& kernels, TypeList<kTypes...>) {
  ((kernels.weights[static_cast<int>(kTypes)].multiply_few = MultiplyFew<kTypes>), ...);
}
