// Dot products where the CPU multiplies 8-bit pairs to 16 bits, saturating. Included inside a level's anonymous
// namespace, after matmul_codes.inl.

// How many quads' sums of two products fit 16 bits: a code of b bits gives at most 2 * (2^b - 1) * 127. Codes of 8 bits
// (kSignedDot) count from their zero point.
inline constexpr int kSignedDot = 1;
template <DType kType>
constexpr int DotOf() {
  constexpr int kBits = kFormatOf<kType>.bits();
  return Traits<kType>::kWide ? kSignedDot : kBits <= 4 ? 8 : kBits == 5 ? 4 : 2;
}
constexpr bool DotIsSigned(int dot) { return dot == kSignedDot; }

// dot[v][c] += quads [first, first + count) of a group; `quad(v, q)` gives the codes of the v-th vector of rows,
// codes + c * kChunk column c's.
template <int kDot, int kVectors, int kColumns, typename Quad>
PT_INLINE void DotQuads(I32 (&dot)[kVectors][kColumns], Quad quad, const int8_t* codes, int first, int count) {
  using Factor = Factors<DotIsSigned(kDot)>;
  const int step = kDot < count ? kDot : count;
#pragma GCC unroll 8
  for (int begin = first; begin < first + count; begin += step) {
    I16 sum[kVectors][kColumns];
#pragma GCC unroll 8
    for (int q = begin; q < begin + step; ++q) {
      Factor w[kVectors];
      for (int v = 0; v < kVectors; ++v) w[v] = MakeFactors<DotIsSigned(kDot)>(quad(v, q));
      for (int c = 0; c < kColumns; ++c) {
        const Inputs x = SplatQuad(codes + c * kChunk + 4 * q);
        for (int v = 0; v < kVectors; ++v) {
          const I16 pairs = MultiplyPairs(w[v], x);
          sum[v][c] = q == begin ? pairs : AddI16(sum[v][c], pairs);
        }
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      for (int c = 0; c < kColumns; ++c) dot[v][c] = AddPairs(dot[v][c], sum[v][c]);
    }
  }
}
