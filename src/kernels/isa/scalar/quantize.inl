// Activations to 8 bits in plain C++. Included inside the level's anonymous namespace.

// Round to nearest even for |v| <= 32767: adding 1.5 * 2^23 leaves the integer in the low bits.
PT_INLINE int RoundToEven(float v) {
  constexpr float kMagic = 12582912.0F;
  const float shifted = v + kMagic;
  int32_t bits = 0;
  memcpy(&bits, &shifted, sizeof(bits));
  return static_cast<int16_t>(bits & 0xFFFF);
}

PT_INLINE int CodeOf(int fixed, int code_max) { return (fixed * code_max + 16384) >> 15; }

// One group of 32 activations: see MatMulKernels::quantize_column.
PT_INLINE void QuantizeGroup(const float* x, int8_t* codes, float* scale, int16_t* sums) {
  float largest = 0;
  for (int i = 0; i < kGroup; ++i) {
    const float magnitude = x[i] < 0 ? -x[i] : x[i];
    largest = magnitude > largest ? magnitude : largest;
  }
  const float inverse = largest > kScaleMin ? kFixedMax / largest : 0.0F;
  int fixed[kGroup];
  for (int i = 0; i < kGroup; ++i) fixed[i] = RoundToEven(x[i] * inverse);
  int best = kCodeMax;
  float best_score = -1;
  float best_scale = 0;
  for (int code_max = kCodeMax; code_max > kCodeMax - kCodeMaxTries; --code_max) {
    int product = 0;
    int norm = 0;
    for (int i = 0; i < kGroup; ++i) {
      const int code = CodeOf(fixed[i], code_max);
      product += fixed[i] * code;
      norm += code * code;
    }
    const float ratio = static_cast<float>(product) / static_cast<float>(norm);
    const float score = static_cast<float>(product) * ratio;
    if (score > best_score) {
      best = code_max;
      best_score = score;
      best_scale = ratio;
    }
  }
  *scale = largest > kScaleMin ? largest * (1.0F / kFixedMax) * best_scale : 0.0F;
  for (int half = 0; half < 2; ++half) {
    int sum = 0;
    for (int i = 16 * half; i < 16 * half + 16; ++i) {
      const int code = CodeOf(fixed[i], best);
      codes[i] = static_cast<int8_t>(code);
      sum += code;
    }
    sums[half] = static_cast<int16_t>(sum);
  }
}

PT_INLINE void QuantizeChunk(const float* x, int8_t* codes, float* scales, int16_t* sums) {
  for (int g = 0; g < kGroupsPerChunk; ++g) {
    QuantizeGroup(x + g * kGroup, codes + g * kGroup, scales + g, sums + 2 * g);
  }
}
