// The vocabulary of the matrix products on 256-bit vectors: one lane is one row, a tile is two halves of 8 rows. Included
// inside the anonymous namespace of avx2 and of avx_vnni, which differ only in their dot products (matmul_dot.inl).

inline constexpr int kLanes = 8;
// Accumulators and dot products of a pass take 2 x 6 of the 16 registers.
inline constexpr int kColumnsPerPass = 6;
using PassSizes = MakeIntList<kColumnsPerPass>::Type;
inline constexpr int kPrefetchBytes = 2048;

using Codes = __m256i;  // 8 rows x 4 unsigned bytes
using I32 = __m256i;
using F32 = __m256;

PT_INLINE Codes LoadCodes(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
PT_INLINE void StoreCodes(uint8_t* p, Codes codes) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), codes);
}
PT_INLINE Codes And(Codes codes, int byte_mask) {
  return _mm256_and_si256(codes, _mm256_set1_epi8(static_cast<char>(byte_mask)));
}
PT_INLINE Codes Or(Codes a, Codes b) { return _mm256_or_si256(a, b); }
template <int kBits>
PT_INLINE Codes ShiftRight(Codes codes) { return _mm256_srli_epi16(codes, kBits); }
template <int kBits>
PT_INLINE Codes ShiftLeft(Codes codes) { return _mm256_slli_epi16(codes, kBits); }
// The IQ4 table's values + 128.
PT_INLINE Codes LookupIq4(Codes indices) {
  const __m128i table = _mm_setr_epi8(1, 24, 45, 63, 79, 93, 106, 118, -127, -115, -103, -90, -75,
                                      -59, -39, -15);
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), indices);
}

PT_INLINE I32 ZeroI32() { return _mm256_setzero_si256(); }
PT_INLINE I32 SplatI32(const int32_t* p) { return _mm256_set1_epi32(*p); }
PT_INLINE F32 ToF32(I32 v) { return _mm256_cvtepi32_ps(v); }

PT_INLINE F32 ZeroF32() { return _mm256_setzero_ps(); }
PT_INLINE F32 SplatF32(float v) { return _mm256_set1_ps(v); }
PT_INLINE F32 LoadF32(const float* p) { return _mm256_loadu_ps(p); }
PT_INLINE void StoreF32(float* p, F32 v) { _mm256_storeu_ps(p, v); }
PT_INLINE F32 Add(F32 a, F32 b) { return _mm256_add_ps(a, b); }
PT_INLINE F32 Mul(F32 a, F32 b) { return _mm256_mul_ps(a, b); }
PT_INLINE F32 Fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
PT_INLINE __m128i Load16Bytes(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
PT_INLINE __m128i Load8Bytes(const uint8_t* p) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
}
PT_INLINE F32 LoadF16(const uint8_t* p) { return _mm256_cvtph_ps(Load16Bytes(p)); }
PT_INLINE F32 LoadBf16(const uint8_t* p) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(Load16Bytes(p)), 16));
}
PT_INLINE F32 LoadU8(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(Load8Bytes(p)));
}
PT_INLINE F32 LoadS8(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(Load8Bytes(p)));
}
PT_INLINE F32 LoadLowNibbles(const uint8_t* p) {
  const __m256i v = _mm256_cvtepu8_epi32(Load8Bytes(p));
  return _mm256_cvtepi32_ps(_mm256_and_si256(v, _mm256_set1_epi32(15)));
}
PT_INLINE F32 LoadHighNibbles(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_srli_epi32(_mm256_cvtepu8_epi32(Load8Bytes(p)), 4));
}

PT_INLINE __m128i AddHalves(__m256i v) {
  return _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}
PT_INLINE int SumLanes(__m256i v) {
  __m128i s = AddHalves(v);
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1));
  return _mm_cvtsi128_si32(s);
}
PT_INLINE float SumLanesF32(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  s = _mm_add_ss(s, _mm_movehdup_ps(s));
  return _mm_cvtss_f32(s);
}
PT_INLINE float LargestLane(__m256 v) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  m = _mm_max_ss(m, _mm_movehdup_ps(m));
  return _mm_cvtss_f32(m);
}

// One group of 32 activations: see MatMulKernels::quantize_column.
PT_INLINE void QuantizeGroup(const float* x, int8_t* codes, float* scale, int16_t* sums) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  __m256 largest4 = _mm256_andnot_ps(sign, _mm256_loadu_ps(x));
  for (int i = 8; i < kGroup; i += 8) {
    largest4 = _mm256_max_ps(largest4, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
  }
  const float largest = LargestLane(largest4);
  const float inverse = largest > kScaleMin ? 127.0F / largest : 0.0F;
  __m256 product = _mm256_setzero_ps();
  __m256 norm = _mm256_setzero_ps();
  for (int half = 0; half < 2; ++half) {
    const float* in = x + 16 * half;
    const __m256 factor = _mm256_set1_ps(inverse);
    const __m256 ya = _mm256_mul_ps(_mm256_loadu_ps(in), factor);
    const __m256 yb = _mm256_mul_ps(_mm256_loadu_ps(in + 8), factor);
    const __m256i a = _mm256_cvtps_epi32(ya);
    const __m256i b = _mm256_cvtps_epi32(yb);
    const __m256 fa = _mm256_cvtepi32_ps(a);
    const __m256 fb = _mm256_cvtepi32_ps(b);
    product = _mm256_fmadd_ps(ya, fa, _mm256_fmadd_ps(yb, fb, product));
    norm = _mm256_fmadd_ps(fa, fa, _mm256_fmadd_ps(fb, fb, norm));
    sums[half] = static_cast<int16_t>(SumLanes(_mm256_add_epi32(a, b)));
    // packs works on 128-bit halves: [a0 b0 | a1 b1]; the permutation puts them into order.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xD8);
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + 16 * half), bytes);
  }
  *scale = largest > kScaleMin ? largest / 127.0F * (SumLanesF32(product) / SumLanesF32(norm)) : 0.0F;
}
