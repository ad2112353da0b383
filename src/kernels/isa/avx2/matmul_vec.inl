// The vocabulary of the matrix products on 256-bit vectors: one lane is one row, a tile is two halves of 8 rows. Included
// inside the anonymous namespace of avx2 and of avx_vnni, which differ only in their dot products (matmul_dot.inl).

inline constexpr int kLanes = 8;
inline constexpr int kColumnsAtOnce = 4;   // where each code is read once
inline constexpr int kVectorsAtOnce = 1;
inline constexpr int kColumnsPerPass = 6;  // accumulators and dot products take 2 x 6 of 16 registers
inline constexpr int kColumnsPerPassOfHalves = 6;
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

// Four inputs of one column, the same in every lane.
using Inputs = __m256i;
PT_INLINE Inputs SplatQuad(const int8_t* quad) {
  int32_t bits = 0;
  memcpy(&bits, quad, sizeof(bits));
  return _mm256_set1_epi32(bits);
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
