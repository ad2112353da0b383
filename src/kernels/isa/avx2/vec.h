// The vector vocabulary on AVX2 with FMA and F16C: what generic/*.inl is written in. Included inside the anonymous
// namespace of a level that has these instructions, never by a header.
#define PINGTI_UNROLL _Pragma("GCC unroll 16")

using Vec = __m256;
inline constexpr int kLanes = 8;
inline constexpr int kTileRows = 6;  // rows x 2 vectors of sums, and room for operands, fit in 16 registers

inline __m256i Lane() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
inline __m256i First(int64_t n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), Lane()); }

inline Vec Zero() { return _mm256_setzero_ps(); }
inline Vec Set(float x) { return _mm256_set1_ps(x); }
inline Vec Load(const float* p) { return _mm256_loadu_ps(p); }
inline void Store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
// The first n < kLanes lanes; the others are zero, or not written.
inline Vec LoadFirst(const float* p, int64_t n) { return _mm256_maskload_ps(p, First(n)); }
inline void StoreFirst(float* p, Vec v, int64_t n) { _mm256_maskstore_ps(p, First(n), v); }

inline Vec Add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
inline Vec Sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
inline Vec Mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
inline Vec Div(Vec a, Vec b) { return _mm256_div_ps(a, b); }
inline Vec Fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }  // a * b + c
// b where either is NaN.
inline Vec Min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
inline Vec Max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
// x = n + rest with n the nearest integer, |x| < 2^22: adding 1.5 * 2^23 leaves no room for a fraction, and its low bits
// are n. Outside that range ScaleByPower's result is zero.
inline Vec RoundToPower(Vec x) { return _mm256_add_ps(x, _mm256_set1_ps(0x1.8p23F)); }
inline Vec PowerValue(Vec power) { return _mm256_sub_ps(power, _mm256_set1_ps(0x1.8p23F)); }
// a * 2^n in the lanes where low <= x, zero in the others; 2^n * a is a normal number. NaN lanes of a stay NaN.
inline Vec ScaleByPower(Vec a, Vec power, Vec x, Vec low) {
  const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(power), 23);
  const __m256i scaled = _mm256_add_epi32(_mm256_castps_si256(a), exponent);
  return _mm256_and_ps(_mm256_castsi256_ps(scaled), _mm256_cmp_ps(x, low, _CMP_NLT_UQ));
}
// Lanes [begin, end) of v, `other` elsewhere; both limits may be outside [0, kLanes].
inline Vec SelectRange(Vec v, int64_t begin, int64_t end, Vec other) {
  const __m256i before = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(begin)), Lane());
  const __m256i in = _mm256_andnot_si256(before, First(end));
  return _mm256_blendv_ps(other, v, _mm256_castsi256_ps(in));
}
// (1, 0, 3, 2, ...)
inline Vec SwapPairs(Vec v) { return _mm256_permute_ps(v, 0xB1); }

inline float SumLanes(Vec v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  s = _mm_add_ss(s, _mm_movehdup_ps(s));
  return _mm_cvtss_f32(s);
}
inline float MaxLanes(Vec v) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  s = _mm_max_ss(s, _mm_movehdup_ps(s));
  return _mm_cvtss_f32(s);
}

inline Vec LoadF16(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline void StoreF16(uint16_t* p, Vec v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline Vec LoadBf16(const uint16_t* p) {
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
inline void StoreBf16(uint16_t* p, Vec v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  const __m256i result = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(result, result), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
}
inline Vec LoadI8(const int8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
inline void Prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }
