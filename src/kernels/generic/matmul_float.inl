// Products of F32, F16 and BF16 tiles with F32 activations, over a level's vocabulary. Included inside a level's
// anonymous namespace. acc = fma(w[k], x[k], acc) in order of k, F32.

inline constexpr int kFloatColumns = 8;  // of a pass: two multiply-adds a cycle of four cycles' latency are under way

template <DType kType>
PT_INLINE F32 LoadElements(const uint8_t* p) {
  if constexpr (kType == DType::kF32) return LoadF32(reinterpret_cast<const float*>(p));
  if constexpr (kType == DType::kF16) return LoadF16(p);
  if constexpr (kType == DType::kBF16) return LoadBf16(p);
}

template <DType kType, int kColumns>
void FloatPass(const ProductArgs& args, const uint8_t* tile, int64_t row0,
               int64_t column) noexcept {
  constexpr int kSize = kType == DType::kF32 ? 4 : 2;
  alignas(64) float sums[kColumns][kTileRows];
  const float* x = args.x + column * args.x_stride;
  for (int lane = 0; lane < kTileRows; lane += kLanes) {
    F32 acc[kColumns];
    for (int c = 0; c < kColumns; ++c) acc[c] = ZeroF32();
    const uint8_t* w = tile + lane * kSize;
    for (int64_t k = 0; k < args.cols; ++k) {
      const F32 elements = LoadElements<kType>(w + k * kTileRows * kSize);
      for (int c = 0; c < kColumns; ++c) {
        acc[c] = Fma(elements, SplatF32(x[c * args.x_stride + k]), acc[c]);
      }
    }
    for (int c = 0; c < kColumns; ++c) StoreF32(sums[c] + lane, acc[c]);
  }
  for (int c = 0; c < kColumns; ++c) StoreSums(args, row0, column + c, sums[c]);
}

using FloatPassFunction = void (*)(const ProductArgs&, const uint8_t*, int64_t, int64_t) noexcept;

template <DType kType, int... kColumns>
PT_INLINE FloatPassFunction ChooseFloatPass(int columns, IntList<kColumns...>) {
  static constexpr FloatPassFunction kFunctions[] = {FloatPass<kType, kColumns + 1>...};
  return kFunctions[columns - 1];
}

template <DType kType>
void MultiplyFloats(const ProductArgs& args) noexcept {
  const size_t tile_bytes = PackedTileBytes(kType, args.cols);
  const auto columns = static_cast<int>(args.columns);
  const int passes = (columns + kFloatColumns - 1) / kFloatColumns;
  const uint8_t* tile = args.tiles;
  for (int64_t row0 = 0; row0 < args.rows; row0 += kTileRows, tile += tile_bytes) {
    for (int pass = 0; pass < passes; ++pass) {
      const int first = columns * pass / passes;
      const int count = columns * (pass + 1) / passes - first;
      ChooseFloatPass<kType>(count, MakeIntList<kFloatColumns>::Type())(args, tile, row0, first);
    }
  }
}

template <DType... kTypes>
void FillFloats(MatMulKernels& kernels, TypeList<kTypes...>) {
  ((kernels.weights[static_cast<int>(kTypes)].multiply_few = MultiplyFloats<kTypes>), ...);
  ((kernels.weights[static_cast<int>(kTypes)].multiply_many = MultiplyFloats<kTypes>), ...);
}
