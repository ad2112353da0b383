// The inner step of all products of quantised tiles: one group of 32 inputs times some columns of activations. Included
// inside a level's anonymous namespace, after matmul_codes.inl and one of matmul_dot4.inl and matmul_dot2.inl.
//
// For every output: acc = fma(float(dot), w_scale * x_scale, acc), then acc = fma(w_min, x_term, acc), in order of k. Each
// way to a product does exactly this, so all give the same bits.

// What the step needs to know of a type; types with equal classes share their code.
template <int kScalesPerGroup, bool kHasMinimums, int kDotKind>
struct GroupClass {
  static constexpr int kScales = kScalesPerGroup;
  static constexpr bool kMinimums = kHasMinimums;
  static constexpr int kDot = kDotKind;
  static constexpr int kTermsPerChunk = kGroupsPerChunk * kScalesPerGroup;
};
template <DType kType>
using ClassOf = GroupClass<Traits<kType>::kScalesPerGroup, Traits<kType>::kMinimums, DotOf<kType>()>;

// Columns of activations at one chunk.
struct ChunkColumns {
  const int8_t* codes;   // [n, 256]
  const float* scales;   // [n, 8]
  const void* terms;     // [n, kTermsPerChunk] int32_t or float
};

PT_INLINE ChunkColumns ColumnsAt(const ProductArgs& args, int64_t chunk, int64_t column, int terms_per_chunk) {
  const int64_t block = chunk * args.columns + column;
  return {args.quantized.codes + block * kChunk, args.quantized.scales + block * kGroupsPerChunk,
          static_cast<const int32_t*>(args.quantized.terms) + block * terms_per_chunk};
}

// How a dot product starts: from the zero point's term, or from zero.
template <typename Class>
PT_INLINE I32 DotStart(const void* terms, int index) {
  if constexpr (Class::kMinimums || DotIsSigned(Class::kDot)) {
    return ZeroI32();
  } else {
    return SplatI32(static_cast<const int32_t*>(terms) + index);
  }
}

// acc[v][c] += group g; `quad(v, q)` gives the codes of quad q of the v-th vector of rows, s[v] their scales.
template <typename Class, int kVectors, int kColumns, typename Quad>
PT_INLINE void AddGroup(F32 (&acc)[kVectors][kColumns], Quad quad, const GroupScales (&s)[kVectors],
                        const ChunkColumns& x, int g) {
  constexpr int kQuads = 8 / Class::kScales;
  const int8_t* codes = x.codes + g * kGroup;
  for (int i = 0; i < Class::kScales; ++i) {
    const int term = g * Class::kScales + i;
    I32 dot[kVectors][kColumns];
    for (int c = 0; c < kColumns; ++c) {
      const I32 start = DotStart<Class>(x.terms, c * Class::kTermsPerChunk + term);
      for (int v = 0; v < kVectors; ++v) dot[v][c] = start;
    }
    DotQuads<Class::kDot>(dot, quad, codes, i * kQuads, kQuads);
    for (int c = 0; c < kColumns; ++c) {
      const F32 x_scale = SplatF32(x.scales[c * kGroupsPerChunk + g]);
      for (int v = 0; v < kVectors; ++v) {
        acc[v][c] = Fma(ToF32(dot[v][c]), Mul(s[v].scale[i], x_scale), acc[v][c]);
      }
      if constexpr (Class::kMinimums) {
        const F32 x_term = SplatF32(static_cast<const float*>(x.terms)[c * Class::kTermsPerChunk + term]);
        for (int v = 0; v < kVectors; ++v) acc[v][c] = Fma(s[v].min[i], x_term, acc[v][c]);
      }
    }
  }
}

// Groups of the chunk that begins at input `begin`: only the last may have fewer.
PT_INLINE int GroupsAt(int64_t cols, int64_t begin) {
  const int64_t rest = (cols - begin) / kGroup;
  return rest < kGroupsPerChunk ? static_cast<int>(rest) : kGroupsPerChunk;
}
