// The vector vocabulary on AVX-512 (F, BW, DQ, VL): what generic/*.inl is written in. Included inside the anonymous
// namespace of a level that has these instructions, never by a header.
#define PINGTI_UNROLL _Pragma("GCC unroll 16")

using Vec = __m512;
inline constexpr int kLanes = 16;
inline constexpr int kTileRows = 12;  // rows x 2 vectors of sums, and room for operands, fit in 32 registers

inline __mmask16 First(int64_t n) { return static_cast<__mmask16>((1U << n) - 1U); }

inline Vec Zero() { return _mm512_setzero_ps(); }
inline Vec Set(float x) { return _mm512_set1_ps(x); }
inline Vec Load(const float* p) { return _mm512_loadu_ps(p); }
inline void Store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
// The first n < kLanes lanes; the others are zero, or not written.
inline Vec LoadFirst(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(First(n), p); }
inline void StoreFirst(float* p, Vec v, int64_t n) { _mm512_mask_storeu_ps(p, First(n), v); }

inline Vec Add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec Sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
inline Vec Mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
inline Vec Div(Vec a, Vec b) { return _mm512_div_ps(a, b); }
inline Vec Fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }  // a * b + c
// b where either is NaN.
inline Vec Min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
inline Vec Max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
// x = n + rest with n the nearest integer, |x| < 2^22: adding 1.5 * 2^23 leaves no room for a fraction, and its low bits
// are n. Outside that range ScaleByPower's result is zero.
inline Vec RoundToPower(Vec x) { return _mm512_add_ps(x, _mm512_set1_ps(0x1.8p23F)); }
inline Vec PowerValue(Vec power) { return _mm512_sub_ps(power, _mm512_set1_ps(0x1.8p23F)); }
// a * 2^n in the lanes where low <= x, zero in the others; 2^n * a is a normal number. NaN lanes of a stay NaN.
inline Vec ScaleByPower(Vec a, Vec power, Vec x, Vec low) {
  const __mmask16 in = _mm512_cmp_ps_mask(x, low, _CMP_NLT_UQ);
  const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(power), 23);
  return _mm512_castsi512_ps(_mm512_maskz_add_epi32(in, _mm512_castps_si512(a), exponent));
}
// Lanes [begin, end) of v, `other` elsewhere; both limits may be outside [0, kLanes].
inline Vec SelectRange(Vec v, int64_t begin, int64_t end, Vec other) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __mmask16 in = _mm512_cmpge_epi32_mask(lane, _mm512_set1_epi32(static_cast<int>(begin))) &
                       _mm512_cmplt_epi32_mask(lane, _mm512_set1_epi32(static_cast<int>(end)));
  return _mm512_mask_blend_ps(in, other, v);
}
// (1, 0, 3, 2, ...)
inline Vec SwapPairs(Vec v) { return _mm512_permute_ps(v, 0xB1); }

inline float SumLanes(Vec v) { return _mm512_reduce_add_ps(v); }
inline float MaxLanes(Vec v) { return _mm512_reduce_max_ps(v); }

inline Vec LoadF16(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline void StoreF16(uint16_t* p, Vec v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline Vec LoadBf16(const uint16_t* p) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
inline void StoreBf16(uint16_t* p, Vec v) {
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  const __m512i result = _mm512_srli_epi32(_mm512_mask_blend_epi32(nan, rounded, quiet), 16);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(result));
}
inline Vec LoadI8(const int8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
inline void Prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }
