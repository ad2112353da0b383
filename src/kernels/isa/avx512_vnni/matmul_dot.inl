// dot[row] + sum of 4 products, exact, with AVX-512 VNNI.

inline constexpr bool kWideDotIsSigned = false;

PT_INLINE I32 Dot(I32 dot, Codes codes, const int8_t* quad) {
  int32_t bits = 0;
  memcpy(&bits, quad, sizeof(bits));
  return _mm512_dpbusd_epi32(dot, codes, _mm512_set1_epi32(bits));
}
