// Activations to 8 bits with AVX2. Included inside the anonymous namespace of avx2 and of avx_vnni.

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
