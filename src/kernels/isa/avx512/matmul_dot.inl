// Products of pairs to 16 bits with AVX-512 BW, which has no dot product of bytes. Codes above 127 (8 bits) count from
// their zero point instead, and their signs go to the activations: |code - 128| * |x| <= 128 * 127 twice fits 16 bits.

using I16 = __m512i;

template <bool kWide>
struct Factors;
template <>
struct Factors<false> {
  __m512i codes;
};
template <>
struct Factors<true> {
  __m512i magnitudes;
  __mmask64 negative;
};

template <bool kWide>
PT_INLINE Factors<kWide> MakeFactors(Codes codes) {
  if constexpr (kWide) {
    const __m512i w = _mm512_xor_si512(codes, _mm512_set1_epi8(-128));
    return {_mm512_abs_epi8(w), _mm512_movepi8_mask(w)};
  } else {
    return {codes};
  }
}

PT_INLINE I16 MultiplyPairs(const Factors<false>& w, Inputs x) {
  return _mm512_maddubs_epi16(w.codes, x);
}
PT_INLINE I16 MultiplyPairs(const Factors<true>& w, Inputs x) {
  const __m512i turned = _mm512_mask_sub_epi8(x, w.negative, _mm512_setzero_si512(), x);
  return _mm512_maddubs_epi16(w.magnitudes, turned);
}
PT_INLINE I16 AddI16(I16 a, I16 b) { return _mm512_add_epi16(a, b); }
PT_INLINE I32 AddPairs(I32 dot, I16 sums) {
  return _mm512_add_epi32(dot, _mm512_madd_epi16(sums, _mm512_set1_epi16(1)));
}
