// Products of quantised tiles, over a level's vocabulary. Included inside a level's anonymous namespace, after
// matmul_codes.inl and one of matmul_dot4.inl and matmul_dot2.inl.
//
// Two ways, bit for bit the same:
//   Direct   few columns (decode): codes are unpacked in registers, each read once from memory.
//   Blocked  many columns (prefill): a chunk of a few tiles is unpacked to bytes and F32 scales in the L1 cache, then
//            passes of up to kColumnsPerPass columns run over it.
// For every output: acc = fma(float(dot), w_scale * x_scale, acc), then acc = fma(w_min, x_term, acc), in order of k.

// Columns of activations at one chunk.
struct ChunkColumns {
  const int8_t* codes;   // [n, 256]
  const float* scales;   // [n, 8]
  const void* terms;     // [n, kTermsPerChunk]
};

template <DType kType>
PT_INLINE ChunkColumns ColumnsAt(const ProductArgs& args, int64_t chunk, int64_t column) {
  const int64_t block = chunk * args.columns + column;
  return {args.quantized.codes + block * kChunk, args.quantized.scales + block * kGroupsPerChunk,
          static_cast<const int32_t*>(args.quantized.terms) + block * Traits<kType>::kTermsPerChunk};
}

// How a dot product starts: from the zero point's term, or from zero.
template <DType kType>
PT_INLINE I32 DotStart(const void* terms, int index) {
  constexpr bool kInSigned = Traits<kType>::kWide && kWideDotIsSigned;
  if constexpr (Traits<kType>::kMinimums || kInSigned) {
    return ZeroI32();
  } else {
    return SplatI32(static_cast<const int32_t*>(terms) + index);
  }
}

// One group's scales applied to the dot products of one column. `i`: the group's half, where it has two scales.
template <DType kType>
PT_INLINE F32 AddScaled(F32 acc, I32 dot, F32 weight_scale, F32 weight_min, const float* x_scale,
                        const void* terms, int term) {
  acc = Fma(ToF32(dot), Mul(weight_scale, SplatF32(*x_scale)), acc);
  if constexpr (Traits<kType>::kMinimums) {
    acc = Fma(weight_min, SplatF32(static_cast<const float*>(terms)[term]), acc);
  }
  return acc;
}

// acc[c] += one group of kColumns columns; `quad(q)` gives the codes of quad q.
template <DType kType, int kColumns, typename Quad>
PT_INLINE void AddGroup(F32 (&acc)[kColumns], Quad quad, const GroupScales& s,
                        const ChunkColumns& x, int g) {
  using T = Traits<kType>;
  constexpr int kQuads = 8 / T::kScalesPerGroup;
  const int8_t* codes = x.codes + g * kGroup;
  for (int i = 0; i < T::kScalesPerGroup; ++i) {
    const int term = g * T::kScalesPerGroup + i;
    I32 dot[kColumns];
    for (int c = 0; c < kColumns; ++c) {
      dot[c] = DotStart<kType>(x.terms, c * T::kTermsPerChunk + term);
    }
    DotQuads<kType, kColumns>(dot, quad, codes, i * kQuads, kQuads);
    for (int c = 0; c < kColumns; ++c) {
      acc[c] = AddScaled<kType>(acc[c], dot[c], s.scale[i], s.min[i],
                                x.scales + c * kGroupsPerChunk + g, x.terms,
                                c * T::kTermsPerChunk + term);
    }
  }
}

// out[column, row0 ..] of one tile and column from 16 sums; rows past the end are dropped.
PT_INLINE void StoreSums(const ProductArgs& args, int64_t row0, int64_t column, const float* sums) {
  float* out = args.out + column * args.out_stride + row0;
  if (row0 + kTileRows <= args.rows) {
    for (int lane = 0; lane < kTileRows; lane += kLanes) {
      F32 sum = LoadF32(sums + lane);
      if (args.maybe_bias != nullptr) sum = Add(sum, LoadF32(args.maybe_bias + row0 + lane));
      if (args.accumulate) sum = Add(sum, LoadF32(out + lane));
      StoreF32(out + lane, sum);
    }
    return;
  }
  for (int64_t r = 0; row0 + r < args.rows; ++r) {
    float sum = sums[r];
    if (args.maybe_bias != nullptr) sum += args.maybe_bias[row0 + r];
    if (args.accumulate) sum += out[r];
    out[r] = sum;
  }
}

template <DType kType, int kColumns>
PT_INLINE void DirectTile(const ProductArgs& args, const uint8_t* tile, int64_t row0, int lane,
                          float (&sums)[kColumns][kTileRows]) {
  using T = Traits<kType>;
  F32 acc[kColumns];
  for (int c = 0; c < kColumns; ++c) acc[c] = ZeroF32();
  const uint8_t* chunk = tile;
  for (int64_t begin = 0; begin < args.cols; begin += kChunk, chunk += T::kChunkBytes) {
    const int64_t rest = (args.cols - begin) / kGroup;
    const int groups = rest < kGroupsPerChunk ? static_cast<int>(rest) : kGroupsPerChunk;
    const uint8_t* scales = chunk + groups * T::kGroupBytes;
    const ChunkColumns x = ColumnsAt<kType>(args, begin / kChunk, 0);
    const SuperScales super = LoadSuperScales<kType>(scales, lane);
    for (int g = 0; g < groups; ++g) {
      const uint8_t* group = chunk + g * T::kGroupBytes;
      for (int i = 0; i < T::kGroupBytes; i += 64) Prefetch(group + i + kPrefetchBytes);
      Codes quads[8];
      LoadGroup<kType>(group, lane, quads);
      const GroupScales s = LoadScales<kType>(scales, super, g, lane);
      AddGroup<kType, kColumns>(acc, [&quads](int q) { return quads[q]; }, s, x, g);
    }
  }
  for (int c = 0; c < kColumns; ++c) StoreF32(sums[c] + lane, acc[c]);
  (void)row0;
}

template <DType kType, int kColumns>
void Direct(const ProductArgs& args) {
  const size_t tile_bytes = TileBytes<kType>(args.cols);
  const uint8_t* tile = args.tiles;
  for (int64_t row0 = 0; row0 < args.rows; row0 += kTileRows, tile += tile_bytes) {
    alignas(64) float sums[kColumns][kTileRows];
    for (int lane = 0; lane < kTileRows; lane += kLanes) {
      DirectTile<kType, kColumns>(args, tile, row0, lane, sums);
    }
    for (int c = 0; c < kColumns; ++c) StoreSums(args, row0, c, sums[c]);
  }
}

// A chunk of one tile, unpacked.
struct alignas(64) UnpackedChunk {
  uint8_t codes[kGroupsPerChunk * 8][kVectorBytes];     // [group * 8 + quad]
  float scales[kGroupsPerChunk * 2][kTileRows];         // [group * scales a group + i]
  float mins[kGroupsPerChunk * 2][kTileRows];
};

template <DType kType>
void UnpackChunk(const uint8_t* chunk, int groups, UnpackedChunk& out) {
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

// sums[c] += one unpacked chunk times kColumns columns.
template <DType kType, int kColumns>
void AddChunk(const UnpackedChunk& w, int groups, const ChunkColumns& x, float* sums) noexcept {
  using T = Traits<kType>;
  for (int lane = 0; lane < kTileRows; lane += kLanes) {
    F32 acc[kColumns];
    for (int c = 0; c < kColumns; ++c) acc[c] = LoadF32(sums + c * kTileRows + lane);
    for (int g = 0; g < groups; ++g) {
      GroupScales s = {{ZeroF32(), ZeroF32()}, {ZeroF32(), ZeroF32()}};
      for (int i = 0; i < T::kScalesPerGroup; ++i) {
        s.scale[i] = LoadF32(w.scales[g * T::kScalesPerGroup + i] + lane);
        if constexpr (T::kMinimums) s.min[i] = LoadF32(w.mins[g * T::kScalesPerGroup + i] + lane);
      }
      const uint8_t* codes = w.codes[g * 8] + 4 * lane;
      AddGroup<kType, kColumns>(
          acc, [codes](int q) { return LoadCodes(codes + q * kVectorBytes); }, s, x, g);
    }
    for (int c = 0; c < kColumns; ++c) StoreF32(sums + c * kTileRows + lane, acc[c]);
  }
}

using AddChunkFunction = void (*)(const UnpackedChunk&, int, const ChunkColumns&, float*) noexcept;

template <DType kType, int... kColumns>
PT_INLINE AddChunkFunction ChooseAddChunk(int columns, IntList<kColumns...>) {
  static constexpr AddChunkFunction kFunctions[] = {AddChunk<kType, kColumns + 1>...};
  return kFunctions[columns - 1];
}

inline constexpr int kTilesPerBlock = 4;

template <DType kType>
void BlockedTiles(const ProductArgs& args, const uint8_t* tiles, int64_t row0, int tile_count) {
  using T = Traits<kType>;
  const size_t tile_bytes = TileBytes<kType>(args.cols);
  const auto columns = static_cast<int>(args.columns);
  const int passes = (columns + kColumnsPerPass - 1) / kColumnsPerPass;
  UnpackedChunk unpacked[kTilesPerBlock];
  alignas(64) float sums[kTilesPerBlock][kColumnsMax * kTileRows];
  for (int t = 0; t < tile_count; ++t) Zero(sums[t], columns * kTileRows);
  for (int64_t begin = 0; begin < args.cols; begin += kChunk) {
    const int64_t rest = (args.cols - begin) / kGroup;
    const int groups = rest < kGroupsPerChunk ? static_cast<int>(rest) : kGroupsPerChunk;
    const size_t offset = static_cast<size_t>(begin / kChunk) * T::kChunkBytes;
    for (int t = 0; t < tile_count; ++t) {
      UnpackChunk<kType>(tiles + t * tile_bytes + offset, groups, unpacked[t]);
    }
    for (int pass = 0; pass < passes; ++pass) {  // passes of equal size, give or take one
      const int first = columns * pass / passes;
      const int count = columns * (pass + 1) / passes - first;
      const ChunkColumns x = ColumnsAt<kType>(args, begin / kChunk, first);
      const AddChunkFunction add = ChooseAddChunk<kType>(count, PassSizes());
      for (int t = 0; t < tile_count; ++t) add(unpacked[t], groups, x, sums[t] + first * kTileRows);
    }
  }
  for (int c = 0; c < columns; ++c) {
    for (int t = 0; t < tile_count; ++t) {
      StoreSums(args, row0 + t * kTileRows, c, sums[t] + c * kTileRows);
    }
  }
}

template <DType kType>
void Blocked(const ProductArgs& args) {
  const size_t tile_bytes = TileBytes<kType>(args.cols);
  constexpr int64_t kRows = kTilesPerBlock * kTileRows;
  const uint8_t* tiles = args.tiles;
  for (int64_t row0 = 0; row0 < args.rows; row0 += kRows, tiles += kTilesPerBlock * tile_bytes) {
    const int64_t rest = (args.rows - row0 + kTileRows - 1) / kTileRows;
    BlockedTiles<kType>(args, tiles, row0, rest < kTilesPerBlock ? static_cast<int>(rest) : kTilesPerBlock);
  }
}

template <DType kType>
void Multiply(const ProductArgs& args) noexcept {
  switch (args.columns) {
    case 1: return Direct<kType, 1>(args);
    case 2: return Direct<kType, 2>(args);
    case 3: return Direct<kType, 3>(args);
    case 4: return Direct<kType, 4>(args);
    default: return Blocked<kType>(args);
  }
}
