// Products of pairs to 16 bits with AVX2, which has no dot product of bytes. Codes above 127 (8 bits) count from their
// zero point instead, and their signs go to the activations: |code - 128| * |x| <= 128 * 127 twice fits 16 bits.

using I16 = __m256i;

template <bool kWide>
struct Factors;
template <>
struct Factors<false> {
  __m256i codes;
};
template <>
struct Factors<true> {
  __m256i magnitudes;
  __m256i values;
};

template <bool kWide>
PT_INLINE Factors<kWide> MakeFactors(Codes codes) {
  if constexpr (kWide) {
    const __m256i w = _mm256_xor_si256(codes, _mm256_set1_epi8(-128));
    return {_mm256_abs_epi8(w), w};
  } else {
    return {codes};
  }
}

PT_INLINE I16 MultiplyPairs(const Factors<false>& w, Inputs x) {
  return _mm256_maddubs_epi16(w.codes, x);
}
PT_INLINE I16 MultiplyPairs(const Factors<true>& w, Inputs x) {
  return _mm256_maddubs_epi16(w.magnitudes, _mm256_sign_epi8(x, w.values));
}
PT_INLINE I16 AddI16(I16 a, I16 b) { return _mm256_add_epi16(a, b); }
PT_INLINE I32 AddPairs(I32 dot, I16 sums) {
  return _mm256_add_epi32(dot, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
}
