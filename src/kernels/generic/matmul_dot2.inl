// Dot products where the CPU multiplies 8-bit pairs to 16 bits, saturating. Included inside a level's anonymous
// namespace, after matmul_codes.inl.

// How many quads' sums of two products fit 16 bits: a code of b bits gives at most 2 * (2^b - 1) * 127.
template <DType kType>
constexpr int QuadsPerSum() {
  constexpr int kBits = kFormatOf<kType>.bits();
  return Traits<kType>::kWide ? 1 : kBits <= 4 ? 8 : kBits == 5 ? 4 : 2;
}

// dot[c] += quads [first, first + count) of a group; `quad(q)` gives the codes, codes + c * kChunk column c's.
template <DType kType, int kColumns, typename Quad>
PT_INLINE void DotQuads(I32 (&dot)[kColumns], Quad quad, const int8_t* codes, int first, int count) {
  constexpr int kStep = QuadsPerSum<kType>();
  const int step = kStep < count ? kStep : count;
#pragma GCC unroll 8
  for (int begin = first; begin < first + count; begin += step) {
    I16 sum[kColumns];
    const Factors<Traits<kType>::kWide> w = MakeFactors<Traits<kType>::kWide>(quad(begin));
    for (int c = 0; c < kColumns; ++c) sum[c] = MultiplyPairs(w, codes + c * kChunk + 4 * begin);
#pragma GCC unroll 8
    for (int q = begin + 1; q < begin + step; ++q) {
      const Factors<Traits<kType>::kWide> next = MakeFactors<Traits<kType>::kWide>(quad(q));
      for (int c = 0; c < kColumns; ++c) {
        sum[c] = AddI16(sum[c], MultiplyPairs(next, codes + c * kChunk + 4 * q));
      }
    }
    for (int c = 0; c < kColumns; ++c) dot[c] = AddPairs(dot[c], sum[c]);
  }
}
