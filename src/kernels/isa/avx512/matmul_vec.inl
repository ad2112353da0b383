// The vocabulary of the matrix products on 512-bit vectors: one lane is one row of a tile. Included inside the anonymous
// namespace of avx512 and of the levels above it, which differ only in Dot (matmul_dot.inl).

inline constexpr int kLanes = 16;
inline constexpr int kColumnsAtOnce = 4;   // where each code is read once
inline constexpr int kVectorsAtOnce = 2;
inline constexpr int kColumnsPerPass = 7;          // accumulators and dot products take 2 x 14 of 32 registers
inline constexpr int kColumnsPerPassOfHalves = 6;  // of types with two scales a group: with 7, 7 % slower (Q6_K)
inline constexpr int kPrefetchBytes = 4096;

using Codes = __m512i;  // 16 rows x 4 unsigned bytes
using I32 = __m512i;
using F32 = __m512;

PT_INLINE Codes LoadCodes(const uint8_t* p) { return _mm512_loadu_si512(p); }
PT_INLINE void StoreCodes(uint8_t* p, Codes codes) { _mm512_storeu_si512(p, codes); }
PT_INLINE Codes And(Codes codes, int byte_mask) {
  return _mm512_and_si512(codes, _mm512_set1_epi8(static_cast<char>(byte_mask)));
}
PT_INLINE Codes Or(Codes a, Codes b) { return _mm512_or_si512(a, b); }
template <int kBits>
PT_INLINE Codes ShiftRight(Codes codes) { return _mm512_srli_epi16(codes, kBits); }
template <int kBits>
PT_INLINE Codes ShiftLeft(Codes codes) { return _mm512_slli_epi16(codes, kBits); }
// The IQ4 table's values + 128.
PT_INLINE Codes LookupIq4(Codes indices) {
  const __m128i table = _mm_setr_epi8(1, 24, 45, 63, 79, 93, 106, 118, -127, -115, -103, -90, -75,
                                      -59, -39, -15);
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), indices);
}

// Four inputs of one column, the same in every lane.
using Inputs = __m512i;
PT_INLINE Inputs SplatQuad(const int8_t* quad) {
  int32_t bits = 0;
  memcpy(&bits, quad, sizeof(bits));
  return _mm512_set1_epi32(bits);
}

PT_INLINE I32 ZeroI32() { return _mm512_setzero_si512(); }
PT_INLINE I32 SplatI32(const int32_t* p) { return _mm512_set1_epi32(*p); }
PT_INLINE F32 ToF32(I32 v) { return _mm512_cvtepi32_ps(v); }

PT_INLINE F32 ZeroF32() { return _mm512_setzero_ps(); }
PT_INLINE F32 SplatF32(float v) { return _mm512_set1_ps(v); }
PT_INLINE F32 LoadF32(const float* p) { return _mm512_loadu_ps(p); }
PT_INLINE void StoreF32(float* p, F32 v) { _mm512_storeu_ps(p, v); }
PT_INLINE F32 Add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
PT_INLINE F32 Mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
PT_INLINE F32 Fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
PT_INLINE F32 LoadF16(const uint8_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
PT_INLINE F32 LoadBf16(const uint8_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
PT_INLINE __m128i LoadBytes(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
PT_INLINE F32 LoadU8(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(LoadBytes(p)));
}
PT_INLINE F32 LoadS8(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(LoadBytes(p)));
}
PT_INLINE F32 LoadLowNibbles(const uint8_t* p) {
  const __m512i v = _mm512_cvtepu8_epi32(LoadBytes(p));
  return _mm512_cvtepi32_ps(_mm512_and_si512(v, _mm512_set1_epi32(15)));
}
PT_INLINE F32 LoadHighNibbles(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_srli_epi32(_mm512_cvtepu8_epi32(LoadBytes(p)), 4));
}
