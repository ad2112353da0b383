// Exponentials over the vector vocabulary.

// 2^r for r in [-1/2, 1/2]: the polynomial of degree 6 whose largest relative error is least (Remez), 1.9e-9; with the
// rounding of its evaluation within 2 units in the last place. 2^0 is exactly 1.
inline Vec Exp2Fraction(Vec r) {
  Vec p = Set(0x1.41D334p-13F);
  p = Fma(p, r, Set(0x1.5F456Ap-10F));
  p = Fma(p, r, Set(0x1.3B2DBCp-7F));
  p = Fma(p, r, Set(0x1.C6AED4p-5F));
  p = Fma(p, r, Set(0x1.EBFBDAp-3F));
  p = Fma(p, r, Set(0x1.62E430p-1F));
  return Fma(p, r, Set(1.0F));
}

// 2^x for x <= 127.4; below 2^-126 the result is zero.
inline Vec Exp2(Vec x) {
  const Vec power = RoundToPower(x);
  return ScaleByPower(Exp2Fraction(Sub(x, PowerValue(power))), power, x, Set(-126.0F));
}

// e^x, x clamped to 88 from above; below e^-87 the result is zero. x / ln 2 is split in an integer and a fraction before
// its rounding can be seen (Cody & Waite 1980): x - n ln 2 in two steps, ln 2 = high + low with few bits in high.
inline Vec Exp(Vec x) {
  const Vec log2_e = Set(0x1.715476p0F);
  const Vec clamped = Min(Set(88.0F), x);
  const Vec power = RoundToPower(Mul(clamped, log2_e));
  const Vec n = PowerValue(power);
  Vec r = Fma(n, Set(-0x1.62E400p-1F), clamped);
  r = Fma(n, Set(-0x1.7F7D1Cp-20F), r);
  return ScaleByPower(Exp2Fraction(Mul(r, log2_e)), power, clamped, Set(-87.0F));
}
