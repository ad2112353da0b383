// Dot with AVX-512 VNNI: dot[row] + sum of 4 products, exact.

inline constexpr bool kWideDotIsSigned = false;

PT_INLINE int32_t LoadQuadBits(const int8_t* quad) {
  int32_t bits = 0;
  memcpy(&bits, quad, sizeof(bits));
  return bits;
}

template <bool kWide>
PT_INLINE I32 Dot(I32 dot, Codes codes, const int8_t* quad) {
  return _mm512_dpbusd_epi32(dot, codes, _mm512_set1_epi32(LoadQuadBits(quad)));
}
