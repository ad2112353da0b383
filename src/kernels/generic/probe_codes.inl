// The same for int8 products. The including file has Codes, SetCodes, AddCodes, FirstCode and DotCodes(sums, unsigned
// bytes, signed bytes), and kCodeBytes bytes in a vector.
inline constexpr int kCodeChains = 12;

inline int32_t ProbeDot(int64_t rounds) noexcept {
  Codes sums[kCodeChains];
  for (int i = 0; i < kCodeChains; ++i) sums[i] = SetCodes(static_cast<int8_t>(i));
  Codes left = SetCodes(3);
  const Codes right = SetCodes(-2);
  for (int64_t round = 0; round < rounds; ++round) {
    asm volatile("" : "+v"(left));  // else products of constants are made once
    PINGTI_UNROLL
    for (int i = 0; i < kCodeChains; ++i) sums[i] = DotCodes(sums[i], left, right);
  }
  for (int i = 1; i < kCodeChains; ++i) sums[0] = AddCodes(sums[0], sums[i]);
  return FirstCode(sums[0]);
}

inline void FillProbeI8(ProbeKernels& kernels) {
  kernels.dot_i8 = ProbeDot;
  kernels.i8_ops_per_round = int64_t{kCodeChains} * kCodeBytes * 2;
}
