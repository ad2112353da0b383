// The vector vocabulary in the compiler's own vectors of four floats: any platform, base instructions only. Included
// inside the anonymous namespace of isa/scalar, never by a header.
#define PINGTI_UNROLL _Pragma("GCC unroll 16")

using Vec = float __attribute__((vector_size(16)));
using Ints = int32_t __attribute__((vector_size(16)));
inline constexpr int kLanes = 4;
inline constexpr int kTileRows = 4;  // rows x 2 vectors of sums, and room for operands, fit in 16 registers

inline Vec AsFloats(Ints v) { return __builtin_bit_cast(Vec, v); }
inline Ints AsInts(Vec v) { return __builtin_bit_cast(Ints, v); }
inline Vec Blend(Ints mask, Vec yes, Vec no) { return AsFloats((mask & AsInts(yes)) | (~mask & AsInts(no))); }
inline Ints Lane() { return Ints{0, 1, 2, 3}; }

inline Vec Zero() { return Vec{}; }
inline Vec Set(float x) { return Vec{x, x, x, x}; }
inline Vec Load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void Store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }
// The first n < kLanes lanes; the others are zero, or not written.
inline Vec LoadFirst(const float* p, int64_t n) {
  Vec v = {};
  std::memcpy(&v, p, static_cast<size_t>(n) * sizeof(float));
  return v;
}
inline void StoreFirst(float* p, Vec v, int64_t n) { std::memcpy(p, &v, static_cast<size_t>(n) * sizeof(float)); }

inline Vec Add(Vec a, Vec b) { return a + b; }
inline Vec Sub(Vec a, Vec b) { return a - b; }
inline Vec Mul(Vec a, Vec b) { return a * b; }
inline Vec Div(Vec a, Vec b) { return a / b; }
inline Vec Fma(Vec a, Vec b, Vec c) { return a * b + c; }  // rounded twice: the base CPU has no fused one
// b where either is NaN.
inline Vec Min(Vec a, Vec b) { return Blend(a < b, a, b); }
inline Vec Max(Vec a, Vec b) { return Blend(a > b, a, b); }
// x = n + rest with n the nearest integer, |x| < 2^22: adding 1.5 * 2^23 leaves no room for a fraction, and its low bits
// are n. Outside that range ScaleByPower's result is zero.
inline Vec RoundToPower(Vec x) { return x + Set(0x1.8p23F); }
inline Vec PowerValue(Vec power) { return power - Set(0x1.8p23F); }
// a * 2^n in the lanes where low <= x, zero in the others; 2^n * a is a normal number. NaN lanes of a stay NaN.
inline Vec ScaleByPower(Vec a, Vec power, Vec x, Vec low) {
  return AsFloats((AsInts(a) + (AsInts(power) << 23)) & ~(x < low));
}
// Lanes [begin, end) of v, `other` elsewhere; both limits may be outside [0, kLanes].
inline Vec SelectRange(Vec v, int64_t begin, int64_t end, Vec other) {
  return Blend((Lane() >= static_cast<int32_t>(begin)) & (Lane() < static_cast<int32_t>(end)), v, other);
}
// (1, 0, 3, 2, ...)
inline Vec SwapPairs(Vec v) { return Vec{v[1], v[0], v[3], v[2]}; }

inline float SumLanes(Vec v) { return (v[0] + v[2]) + (v[1] + v[3]); }
inline float MaxLanes(Vec v) {
  const float a = v[0] > v[2] ? v[0] : v[2];
  const float b = v[1] > v[3] ? v[1] : v[3];
  return a > b ? a : b;
}

inline Vec LoadF16(const uint16_t* p) {
  return Vec{F16ToF32(p[0]), F16ToF32(p[1]), F16ToF32(p[2]), F16ToF32(p[3])};
}
inline void StoreF16(uint16_t* p, Vec v) {
  for (int i = 0; i < kLanes; ++i) p[i] = F32ToF16(v[i]);
}
inline Vec LoadBf16(const uint16_t* p) { return AsFloats(Ints{p[0], p[1], p[2], p[3]} << 16); }
inline void StoreBf16(uint16_t* p, Vec v) {
  for (int i = 0; i < kLanes; ++i) p[i] = F32ToBf16(v[i]);
}
inline Vec LoadI8(const int8_t* p) {
  return __builtin_convertvector((Ints{p[0], p[1], p[2], p[3]}), Vec);
}
inline void Prefetch(const void* p) { __builtin_prefetch(p); }
