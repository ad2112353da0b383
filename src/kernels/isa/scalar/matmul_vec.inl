// The vocabulary of the matrix products in plain C++: sixteen lanes in arrays, which a compiler may put into whatever
// vectors the base CPU has. Included inside the level's anonymous namespace.

inline constexpr int kLanes = 16;
inline constexpr int kColumnsAtOnce = 1;   // few: these vectors are long to compile
inline constexpr int kVectorsAtOnce = 1;
inline constexpr int kColumnsPerPass = 2;
inline constexpr int kColumnsPerPassOfHalves = 2;
inline constexpr int kPrefetchBytes = 1024;

struct Codes {
  uint8_t v[4 * kLanes];
};
struct I32 {
  int32_t v[kLanes];
};
struct F32 {
  float v[kLanes];
};

template <typename T, typename F>
PT_INLINE T Each(F f) {
  T out;
  for (int i = 0; i < static_cast<int>(sizeof(out.v) / sizeof(out.v[0])); ++i) out.v[i] = f(i);
  return out;
}
using Byte = uint8_t;

PT_INLINE Codes LoadCodes(const uint8_t* p) { return Each<Codes>([p](int i) { return p[i]; }); }
PT_INLINE void StoreCodes(uint8_t* p, const Codes& codes) { memcpy(p, codes.v, sizeof(codes.v)); }
PT_INLINE Codes And(const Codes& a, int mask) {
  return Each<Codes>([&a, mask](int i) { return static_cast<Byte>(a.v[i] & mask); });
}
PT_INLINE Codes Or(const Codes& a, const Codes& b) {
  return Each<Codes>([&a, &b](int i) { return static_cast<Byte>(a.v[i] | b.v[i]); });
}
template <int kBits>
PT_INLINE Codes ShiftRight(const Codes& a) {
  return Each<Codes>([&a](int i) { return static_cast<Byte>(a.v[i] >> kBits); });
}
template <int kBits>
PT_INLINE Codes ShiftLeft(const Codes& a) {
  return Each<Codes>([&a](int i) { return static_cast<Byte>(a.v[i] << kBits); });
}
// The IQ4 table's values + 128.
PT_INLINE Codes LookupIq4(const Codes& a) {
  static constexpr Byte kTable[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                      129, 141, 153, 166, 181, 197, 217, 241};
  return Each<Codes>([&a](int i) { return kTable[a.v[i]]; });
}

PT_INLINE I32 ZeroI32() { return {}; }
PT_INLINE I32 SplatI32(const int32_t* p) { return Each<I32>([p](int) { return *p; }); }
PT_INLINE F32 ToF32(const I32& a) {
  return Each<F32>([&a](int i) { return static_cast<float>(a.v[i]); });
}

PT_INLINE F32 ZeroF32() { return {}; }
PT_INLINE F32 SplatF32(float v) { return Each<F32>([v](int) { return v; }); }
PT_INLINE F32 LoadF32(const float* p) { return Each<F32>([p](int i) { return p[i]; }); }
PT_INLINE void StoreF32(float* p, const F32& a) { memcpy(p, a.v, sizeof(a.v)); }
PT_INLINE F32 Add(const F32& a, const F32& b) {
  return Each<F32>([&a, &b](int i) { return a.v[i] + b.v[i]; });
}
PT_INLINE F32 Mul(const F32& a, const F32& b) {
  return Each<F32>([&a, &b](int i) { return a.v[i] * b.v[i]; });
}
// Two roundings: the base CPU has no fused instruction.
PT_INLINE F32 Fma(const F32& a, const F32& b, const F32& c) {
  return Each<F32>([&a, &b, &c](int i) { return a.v[i] * b.v[i] + c.v[i]; });
}

PT_INLINE float Bits(uint32_t bits) {
  float value = 0;
  memcpy(&value, &bits, sizeof(value));
  return value;
}
PT_INLINE uint32_t ReadU16(const uint8_t* p) {
  return static_cast<uint32_t>(p[0]) | (static_cast<uint32_t>(p[1]) << 8);
}
// Exact: the half's exponent and fraction, scaled from bias 15 to 127.
PT_INLINE float HalfToFloat(uint32_t half) {
  const uint32_t magnitude = half & 0x7FFFU;
  const uint32_t sign = (half & 0x8000U) << 16;
  if (magnitude >= 0x7C00U) return Bits(sign | 0x7F800000U | ((magnitude & 0x3FFU) << 13));
  const float value = Bits(magnitude << 13) * 0x1p112F;  // also right for denormals
  return (sign != 0) ? -value : value;
}
PT_INLINE F32 LoadF16(const uint8_t* p) {
  return Each<F32>([p](int i) { return HalfToFloat(ReadU16(p + 2 * i)); });
}
PT_INLINE F32 LoadBf16(const uint8_t* p) {
  return Each<F32>([p](int i) { return Bits(ReadU16(p + 2 * i) << 16); });
}
PT_INLINE F32 LoadU8(const uint8_t* p) {
  return Each<F32>([p](int i) { return static_cast<float>(p[i]); });
}
PT_INLINE F32 LoadS8(const uint8_t* p) {
  return Each<F32>([p](int i) { return static_cast<float>(static_cast<int8_t>(p[i])); });
}
PT_INLINE F32 LoadLowNibbles(const uint8_t* p) {
  return Each<F32>([p](int i) { return static_cast<float>(p[i] & 15); });
}
PT_INLINE F32 LoadHighNibbles(const uint8_t* p) {
  return Each<F32>([p](int i) { return static_cast<float>(p[i] >> 4); });
}
