// Activations to 8 bits with AVX-512 (F, BW, DQ, VL). Included inside the anonymous namespace of avx512 and of the levels
// above it.

// The code of an input of 16 bits when the largest input's code is `code_max`.
PT_INLINE __m512i CodesOf(__m512i fixed, int code_max) {
  return _mm512_mulhrs_epi16(fixed, _mm512_set1_epi16(static_cast<int16_t>(code_max)));
}
// Lane i: the sum of the lanes of v[i].
PT_INLINE __m128i SumsOf4(const __m512i* v) {
  const __m512i low = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
  const __m512i high = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
  const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(low, high), _mm512_unpackhi_epi64(low, high));
  const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}
PT_INLINE __m256i SumsOf8(const __m512i* v) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(SumsOf4(v)), SumsOf4(v + 4), 1);
}
PT_INLINE float LargestLane(__m256 v) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

// One group of 32 activations: see MatMulKernels::quantize_column.
PT_INLINE void QuantizeGroup(const float* x, int8_t* codes, float* scale, int16_t* sums) {
  const __m512 a = _mm512_loadu_ps(x);
  const __m512 b = _mm512_loadu_ps(x + 16);
  const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
  const __m512 inverse = _mm512_set1_ps(largest > kScaleMin ? kFixedMax / largest : 0.0F);
  const __m256i fixed_a = _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(_mm512_mul_ps(a, inverse)));
  const __m256i fixed_b = _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(_mm512_mul_ps(b, inverse)));
  const __m512i fixed = _mm512_inserti64x4(_mm512_castsi256_si512(fixed_a), fixed_b, 1);
  static_assert(kCodeMaxTries == 8);
  __m512i product[kCodeMaxTries];
  __m512i norm[kCodeMaxTries];
#pragma GCC unroll 8
  for (int i = 0; i < kCodeMaxTries; ++i) {
    const __m512i tried = CodesOf(fixed, kCodeMax - i);
    product[i] = _mm512_madd_epi16(fixed, tried);
    norm[i] = _mm512_madd_epi16(tried, tried);
  }
  const __m256 products = _mm256_cvtepi32_ps(SumsOf8(product));
  const __m256 ratios = _mm256_div_ps(products, _mm256_cvtepi32_ps(SumsOf8(norm)));
  const __m256 scores = _mm256_mul_ps(products, ratios);
  const __m256 best = _mm256_set1_ps(LargestLane(scores));
  const auto hits = static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(scores, best, _CMP_EQ_OQ)));
  const int tries = __builtin_ctz(hits | 1U << kCodeMaxTries) % kCodeMaxTries;
  const __m256 ratio = _mm256_permutevar8x32_ps(ratios, _mm256_set1_epi32(tries));
  *scale = largest > kScaleMin ? largest * (1.0F / kFixedMax) * _mm256_cvtss_f32(ratio) : 0.0F;
  const __m512i chosen = CodesOf(fixed, kCodeMax - tries);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), _mm512_cvtsepi16_epi8(chosen));
  const __m512i pairs = _mm512_madd_epi16(chosen, _mm512_set1_epi16(1));
  sums[0] = static_cast<int16_t>(_mm512_mask_reduce_add_epi32(0x00FF, pairs));
  sums[1] = static_cast<int16_t>(_mm512_mask_reduce_add_epi32(0xFF00, pairs));
}

// Lane g: the largest magnitude of the 32 inputs at x + 32 g.
PT_INLINE __m256 LargestOf8Groups(const float* x) {
  __m512i v[8];
  for (int g = 0; g < 8; ++g) {
    const __m512 a = _mm512_abs_ps(_mm512_loadu_ps(x + g * kGroup));
    const __m512 b = _mm512_abs_ps(_mm512_loadu_ps(x + g * kGroup + 16));
    v[g] = _mm512_castps_si512(_mm512_max_ps(a, b));
  }
  // Floats that are not negative are in the order of their bits.
  const auto max = [](__m512i a, __m512i b) { return _mm512_max_epi32(a, b); };
  for (int g = 0; g < 8; g += 2) {
    const __m512i next = v[g + 1];
    v[g] = max(_mm512_unpacklo_epi32(v[g], next), _mm512_unpackhi_epi32(v[g], next));
  }
  for (int g = 0; g < 8; g += 4) {
    const __m512i next = v[g + 2];
    v[g] = max(_mm512_unpacklo_epi64(v[g], next), _mm512_unpackhi_epi64(v[g], next));
  }
  const __m512i w = max(_mm512_shuffle_i32x4(v[0], v[4], 0x44), _mm512_shuffle_i32x4(v[0], v[4], 0xEE));
  const __m512i largest = max(_mm512_shuffle_i32x4(w, w, 0x88), _mm512_shuffle_i32x4(w, w, 0xDD));
  return _mm256_castsi256_ps(_mm512_castsi512_si256(largest));
}

// Of vectors whose 128-bit parts are groups 0-3, 0-3, 4-7, 4-7: [a's sum of each group | b's sum of each group].
PT_INLINE __m512i SumsOf8Groups(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));
}

// From groups as rows (each 16 pairs of inputs) to vectors with one pair of every group twice, in parts as above: the
// pairs 0-7 in the first four vectors, 8-15 in the others.
PT_INLINE void TransposeGroups(const __m512i* rows, __m512i* pairs) {
  __m512i quads[2][4];
  for (int half = 0; half < 2; ++half) {
    const __m512i* r = rows + 4 * half;
    const __m512i a = _mm512_unpacklo_epi32(r[0], r[1]);
    const __m512i b = _mm512_unpackhi_epi32(r[0], r[1]);
    const __m512i c = _mm512_unpacklo_epi32(r[2], r[3]);
    const __m512i d = _mm512_unpackhi_epi32(r[2], r[3]);
    quads[half][0] = _mm512_unpacklo_epi64(a, c);
    quads[half][1] = _mm512_unpackhi_epi64(a, c);
    quads[half][2] = _mm512_unpacklo_epi64(b, d);
    quads[half][3] = _mm512_unpackhi_epi64(b, d);
  }
  for (int i = 0; i < 4; ++i) {
    pairs[i] = _mm512_shuffle_i32x4(quads[0][i], quads[1][i], 0x44);
    pairs[4 + i] = _mm512_shuffle_i32x4(quads[0][i], quads[1][i], 0xEE);
  }
}

// QuantizeGroup for 8 groups at once, one in a lane, so that no sum goes across lanes.
PT_INLINE void QuantizeChunk(const float* x, int8_t* codes, float* scales, int16_t* sums) {
  const __m256 largest = LargestOf8Groups(x);
  const __mmask8 not_zero = _mm256_cmp_ps_mask(largest, _mm256_set1_ps(kScaleMin), _CMP_GT_OQ);
  alignas(32) float inverse[8];
  _mm256_store_ps(inverse, _mm256_maskz_div_ps(not_zero, _mm256_set1_ps(kFixedMax), largest));
  const __m512i in_order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  __m512i rows[8];
#pragma GCC unroll 8
  for (int g = 0; g < 8; ++g) {
    const __m512 factor = _mm512_set1_ps(inverse[g]);
    const __m512i a = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + g * kGroup), factor));
    const __m512i b = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + g * kGroup + 16), factor));
    rows[g] = _mm512_permutexvar_epi64(in_order, _mm512_packs_epi32(a, b));
  }
  __m512i pairs[8];
  TransposeGroups(rows, pairs);
  __m256 best_score = _mm256_set1_ps(-1.0F);
  __m256 best_ratio = _mm256_setzero_ps();
  __m256i best = _mm256_set1_epi32(kCodeMax);
  for (int code_max = kCodeMax; code_max > kCodeMax - kCodeMaxTries; --code_max) {
    __m512i product = _mm512_setzero_si512();
    __m512i norm = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const __m512i tried = CodesOf(pairs[i], code_max);
      product = _mm512_add_epi32(product, _mm512_madd_epi16(pairs[i], tried));
      norm = _mm512_add_epi32(norm, _mm512_madd_epi16(tried, tried));
    }
    const __m512 both = _mm512_cvtepi32_ps(SumsOf8Groups(product, norm));
    const __m256 products = _mm512_castps512_ps256(both);
    const __m256 ratio = _mm256_div_ps(products, _mm512_extractf32x8_ps(both, 1));
    const __m256 score = _mm256_mul_ps(products, ratio);
    const __mmask8 better = _mm256_cmp_ps_mask(score, best_score, _CMP_GT_OQ);
    best_score = _mm256_mask_mov_ps(best_score, better, score);
    best_ratio = _mm256_mask_mov_ps(best_ratio, better, ratio);
    best = _mm256_mask_mov_epi32(best, better, _mm256_set1_epi32(code_max));
  }
  const __m256 steps = _mm256_mul_ps(largest, _mm256_set1_ps(1.0F / kFixedMax));
  _mm256_storeu_ps(scales, _mm256_maskz_mul_ps(not_zero, steps, best_ratio));
  alignas(32) int32_t code_max[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(code_max), best);
#pragma GCC unroll 8
  for (int g = 0; g < 8; ++g) {
    const __m512i chosen = CodesOf(rows[g], code_max[g]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + g * kGroup), _mm512_cvtsepi16_epi8(chosen));
  }
  // Each lane's greatest code in both of its 16 bits, in the parts that `pairs` has.
  const __m256i twice = _mm256_or_si256(best, _mm256_slli_epi32(best, 16));
  const __m512i lanes = _mm512_shuffle_i32x4(_mm512_castsi256_si512(twice), _mm512_castsi256_si512(twice), 0x50);
  __m512i sum[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  for (int i = 0; i < 8; ++i) {
    const __m512i chosen = _mm512_mulhrs_epi16(pairs[i], lanes);
    sum[i / 4] = _mm512_add_epi32(sum[i / 4], _mm512_madd_epi16(chosen, _mm512_set1_epi16(1)));
  }
  const __m512i halves = SumsOf8Groups(sum[0], sum[1]);
  const __m256i second = _mm256_slli_epi32(_mm512_extracti64x4_epi64(halves, 1), 16);
  const __m256i first = _mm256_and_si256(_mm512_castsi512_si256(halves), _mm256_set1_epi32(0xFFFF));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), _mm256_or_si256(first, second));
}
