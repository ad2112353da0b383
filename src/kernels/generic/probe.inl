// Chains of multiply-adds, enough of them to hide the latency and few enough to stay in registers. The including file
// has the vocabulary (vec.h) and, where it has int8 products: Codes, SetCodes, DotCodes (sums + products of bytes).
inline constexpr int kProbeChains = 12;

inline float ProbeMultiplyAdd(int64_t rounds) noexcept {
  Vec sums[kProbeChains];
  for (int i = 0; i < kProbeChains; ++i) sums[i] = Set(static_cast<float>(i));
  const Vec factor = Set(0.5F);
  const Vec term = Set(0.25F);
  for (int64_t round = 0; round < rounds; ++round) {
    PINGTI_UNROLL
    for (int i = 0; i < kProbeChains; ++i) sums[i] = Fma(sums[i], factor, term);
  }
  for (int i = 1; i < kProbeChains; ++i) sums[0] = Add(sums[0], sums[i]);
  return SumLanes(sums[0]);
}

inline void FillProbeF32(ProbeKernels& kernels) {
  kernels.multiply_add_f32 = ProbeMultiplyAdd;
  kernels.f32_flops_per_round = int64_t{kProbeChains} * kLanes * 2;
}
