// The vocabulary of the matrix products on 256-bit vectors: one lane is one row, a tile is two halves of 8 rows. Included
// inside the anonymous namespace of avx2 and of avx_vnni, which differ only in their dot products (matmul_dot.inl).

inline constexpr int kLanes = 8;
inline constexpr int kColumnsAtOnce = 4;   // where each code is read once
inline constexpr int kColumnsPerPass = 3;  // accumulators and dot products of two vectors take 2 x 6 of 16 registers
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

PT_INLINE int SumLanes(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1));
  return _mm_cvtsi128_si32(s);
}
PT_INLINE float LargestLane(__m256 v) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  m = _mm_max_ss(m, _mm_movehdup_ps(m));
  return _mm_cvtss_f32(m);
}
// 16 inputs times `factor` in 16 bits, in order.
PT_INLINE __m256i FixedOf(const float* x, __m256 factor) {
  const __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), factor));
  const __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), factor));
  // packs works on 128-bit halves: [a0 b0 | a1 b1]; the permutation puts them into order.
  return _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xD8);
}
// The code of an input of 16 bits when the largest input's code is `code_max`.
PT_INLINE __m256i CodesOf(__m256i fixed, int code_max) {
  return _mm256_mulhrs_epi16(fixed, _mm256_set1_epi16(static_cast<int16_t>(code_max)));
}
// Lane i: the sum of the lanes of v[i].
PT_INLINE __m256i SumsOf8(const __m256i* v) {
  const __m256i v03 = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
  const __m256i v47 = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]), _mm256_hadd_epi32(v[6], v[7]));
  return _mm256_add_epi32(_mm256_permute2x128_si256(v03, v47, 0x20),
                          _mm256_permute2x128_si256(v03, v47, 0x31));
}

// One group of 32 activations: see MatMulKernels::quantize_column.
PT_INLINE void QuantizeGroup(const float* x, int8_t* codes, float* scale, int16_t* sums) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  __m256 largest8 = _mm256_andnot_ps(sign, _mm256_loadu_ps(x));
  for (int i = 8; i < kGroup; i += 8) {
    largest8 = _mm256_max_ps(largest8, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
  }
  const float largest = LargestLane(largest8);
  const __m256 inverse = _mm256_set1_ps(largest > kScaleMin ? kFixedMax / largest : 0.0F);
  const __m256i a = FixedOf(x, inverse);
  const __m256i b = FixedOf(x + 16, inverse);
  static_assert(kCodeMaxTries == 8);
  __m256i product[kCodeMaxTries];
  __m256i norm[kCodeMaxTries];
#pragma GCC unroll 8
  for (int i = 0; i < kCodeMaxTries; ++i) {
    const __m256i qa = CodesOf(a, kCodeMax - i);
    const __m256i qb = CodesOf(b, kCodeMax - i);
    product[i] = _mm256_add_epi32(_mm256_madd_epi16(a, qa), _mm256_madd_epi16(b, qb));
    norm[i] = _mm256_add_epi32(_mm256_madd_epi16(qa, qa), _mm256_madd_epi16(qb, qb));
  }
  const __m256 products = _mm256_cvtepi32_ps(SumsOf8(product));
  const __m256 ratios = _mm256_div_ps(products, _mm256_cvtepi32_ps(SumsOf8(norm)));
  const __m256 scores = _mm256_mul_ps(products, ratios);
  const __m256 best = _mm256_set1_ps(LargestLane(scores));
  const auto hits = static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(scores, best, _CMP_EQ_OQ)));
  const int tries = __builtin_ctz(hits | 1U << kCodeMaxTries) % kCodeMaxTries;
  const __m256 ratio = _mm256_permutevar8x32_ps(ratios, _mm256_set1_epi32(tries));
  *scale = largest > kScaleMin ? largest * (1.0F / kFixedMax) * _mm256_cvtss_f32(ratio) : 0.0F;
  const __m256i qa = CodesOf(a, kCodeMax - tries);
  const __m256i qb = CodesOf(b, kCodeMax - tries);
  const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(qa, qb), 0xD8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), bytes);
  sums[0] = static_cast<int16_t>(SumLanes(_mm256_madd_epi16(qa, _mm256_set1_epi16(1))));
  sums[1] = static_cast<int16_t>(SumLanes(_mm256_madd_epi16(qb, _mm256_set1_epi16(1))));
}

PT_INLINE void QuantizeChunk(const float* x, int8_t* codes, float* scales, int16_t* sums) {
  for (int g = 0; g < kGroupsPerChunk; ++g) {
    QuantizeGroup(x + g * kGroup, codes + g * kGroup, scales + g, sums + 2 * g);
  }
}
