// Codes and scales of packed chunks (tensor/packed.h) as vectors, over a level's vocabulary (isa/<level>/matmul_vec.inl).
// Included inside a level's anonymous namespace.
//
// A level with kLanes = 8 treats a tile of 16 rows as two halves: `lane` is the first row, 0 or 8.

template <DType kType>
inline constexpr PackedFormat kFormatOf = kPackedFormats[static_cast<int>(kType)];

constexpr bool SixteensOf(PackedScales scales) {
  return scales == PackedScales::kS8By16 || scales == PackedScales::kU4Min16;
}
constexpr bool MinimumsOf(PackedScales scales) {
  return scales == PackedScales::kF16Min || scales == PackedScales::kU8Min32 ||
         scales == PackedScales::kU4Min16;
}
// One super-scale for a whole chunk.
constexpr bool SuperScaleOf(PackedScales scales) {
  return scales != PackedScales::kF16 && scales != PackedScales::kF16Min;
}

// What a product needs to know of a type at compile time.
template <DType kType>
struct Traits {
  static constexpr PackedFormat kFormat = kFormatOf<kType>;
  static constexpr int kGroupBytes = kFormat.bits() * kVectorBytes;
  static constexpr bool kSixteens = SixteensOf(kFormat.scales);  // two weight scales a group
  static constexpr bool kMinimums = MinimumsOf(kFormat.scales);
  static constexpr bool kWide = kFormat.lookup || kFormat.low_bits == 8;  // codes above 127
  static constexpr int kScalesPerGroup = kSixteens ? 2 : 1;
  static constexpr int kTermsPerChunk = kGroupsPerChunk * kScalesPerGroup;
  static constexpr size_t kScaleBytes =
      kFormat.scales == PackedScales::kF16       ? kGroupsPerChunk * 32
      : kFormat.scales == PackedScales::kF16Min  ? kGroupsPerChunk * 64
      : kFormat.scales == PackedScales::kS8By32  ? kGroupsPerChunk * 16 + 32
      : kFormat.scales == PackedScales::kS8By16  ? kGroupsPerChunk * 32 + 32
                                                 : kGroupsPerChunk * 32 + 64;
  // A whole chunk; only the last of a tile is shorter, so the next one is always this far.
  static constexpr size_t kChunkBytes =
      (kGroupsPerChunk * kGroupBytes + kScaleBytes + kPackedAlign - 1) / kPackedAlign * kPackedAlign;
};

// Moves the bits that `kMask` keeps after shifting from bit kFrom to bit kTo of each byte.
template <int kFrom, int kTo>
PT_INLINE Codes MoveBits(Codes codes, int mask) {
  if constexpr (kFrom > kTo) {
    codes = ShiftRight<kFrom - kTo>(codes);
  } else if constexpr (kFrom < kTo) {
    codes = ShiftLeft<kTo - kFrom>(codes);
  }
  return And(codes, mask);
}

// Quads kQuad of a plane's vector, at bit kTo.
template <int kBits, int kQuad, int kTo>
PT_INLINE Codes PlaneQuad(const uint8_t* plane) {
  if constexpr (kBits == 4) {
    return MoveBits<4 * (kQuad / 4), kTo>(LoadCodes(plane + kQuad % 4 * kVectorBytes), 15 << kTo);
  } else if constexpr (kBits == 2) {
    return MoveBits<2 * (kQuad % 4), kTo>(LoadCodes(plane + kQuad / 4 * kVectorBytes), 3 << kTo);
  } else {
    static_assert(kBits == 1);
    return MoveBits<kQuad, kTo>(LoadCodes(plane), 1 << kTo);
  }
}

// The codes of quad kQuad (0..7) of the group at `group`, rows lane .. lane + kLanes.
template <DType kType, int kQuad>
PT_INLINE Codes LoadQuad(const uint8_t* group) {
  constexpr PackedFormat kFormat = kFormatOf<kType>;
  if constexpr (kFormat.low_bits == 8) {
    return LoadCodes(group + kQuad * kVectorBytes);
  } else {
    Codes codes = PlaneQuad<kFormat.low_bits, kQuad, 0>(group);
    if constexpr (kFormat.high_bits > 0) {
      const uint8_t* high = group + kFormat.low_bits * kVectorBytes;
      codes = Or(codes, PlaneQuad<kFormat.high_bits, kQuad, kFormat.low_bits>(high));
    }
    if constexpr (kFormat.lookup) codes = LookupIq4(codes);
    return codes;
  }
}

template <DType kType>
PT_INLINE void LoadGroup(const uint8_t* group, int lane, Codes (&quads)[8]) {
  const uint8_t* base = group + 4 * lane;
  quads[0] = LoadQuad<kType, 0>(base);
  quads[1] = LoadQuad<kType, 1>(base);
  quads[2] = LoadQuad<kType, 2>(base);
  quads[3] = LoadQuad<kType, 3>(base);
  quads[4] = LoadQuad<kType, 4>(base);
  quads[5] = LoadQuad<kType, 5>(base);
  quads[6] = LoadQuad<kType, 6>(base);
  quads[7] = LoadQuad<kType, 7>(base);
}

// The F32 super-scales of a chunk; dmin is negated, so that minimums are added.
struct SuperScales {
  F32 d;
  F32 minus_dmin;
};

template <DType kType>
PT_INLINE SuperScales LoadSuperScales(const uint8_t* scales, int lane) {
  constexpr PackedScales kScales = kFormatOf<kType>.scales;
  SuperScales super = {ZeroF32(), ZeroF32()};
  if constexpr (kScales == PackedScales::kS8By32) {
    super.d = LoadF16(scales + 8 * kTileRows + 2 * lane);
  } else if constexpr (SuperScaleOf(kScales)) {
    super.d = LoadF16(scales + 16 * kTileRows + 2 * lane);
  }
  if constexpr (SuperScaleOf(kScales) && MinimumsOf(kScales)) {
    super.minus_dmin = Mul(LoadF16(scales + 16 * kTileRows + 32 + 2 * lane), SplatF32(-1.0F));
  }
  return super;
}

// Weight scales and (negative) minimums of group g as F32: exact, F16 times at most 8 bits.
struct GroupScales {
  F32 scale[2];
  F32 min[2];
};

template <DType kType>
PT_INLINE GroupScales LoadScales(const uint8_t* scales, const SuperScales& super, int g, int lane) {
  constexpr PackedScales kScales = kFormatOf<kType>.scales;
  GroupScales s = {{ZeroF32(), ZeroF32()}, {ZeroF32(), ZeroF32()}};
  const uint8_t* bytes = scales + lane;
  if constexpr (kScales == PackedScales::kF16) {
    s.scale[0] = LoadF16(scales + 32 * g + 2 * lane);
  } else if constexpr (kScales == PackedScales::kF16Min) {
    s.scale[0] = LoadF16(scales + 64 * g + 2 * lane);
    s.min[0] = LoadF16(scales + 64 * g + 32 + 2 * lane);
  } else if constexpr (kScales == PackedScales::kU8Min32) {
    s.scale[0] = Mul(super.d, LoadU8(bytes + 16 * g));
    s.min[0] = Mul(super.minus_dmin, LoadU8(bytes + 16 * (8 + g)));
  } else if constexpr (kScales == PackedScales::kS8By32) {
    s.scale[0] = Mul(super.d, LoadS8(bytes + 16 * g));
  } else if constexpr (kScales == PackedScales::kS8By16) {
    s.scale[0] = Mul(super.d, LoadS8(bytes + 32 * g));
    s.scale[1] = Mul(super.d, LoadS8(bytes + 32 * g + 16));
  } else {
    static_assert(kScales == PackedScales::kU4Min16);
    s.scale[0] = Mul(super.d, LoadLowNibbles(bytes + 32 * g));
    s.scale[1] = Mul(super.d, LoadLowNibbles(bytes + 32 * g + 16));
    s.min[0] = Mul(super.minus_dmin, LoadHighNibbles(bytes + 32 * g));
    s.min[1] = Mul(super.minus_dmin, LoadHighNibbles(bytes + 32 * g + 16));
  }
  return s;
}
