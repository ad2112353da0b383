// Element-wise kernels over the vector vocabulary; vector.h says what they compute.

// Whole vectors first, then the rest in one partial vector.
template <typename F>
inline void ForVectors(int64_t n, F&& body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    body(i, [](const float* p) { return Load(p); }, [](float* p, Vec v) { Store(p, v); });
  }
  if (i == n) return;
  const int64_t rest = n - i;
  body(i, [rest](const float* p) { return LoadFirst(p, rest); },
       [rest](float* p, Vec v) { StoreFirst(p, v, rest); });
}

inline float SumOfSquares(const float* x, int64_t n) {
  Vec sums[4] = {Zero(), Zero(), Zero(), Zero()};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    PINGTI_UNROLL
    for (int k = 0; k < 4; ++k) {
      const Vec v = Load(x + i + k * kLanes);
      sums[k] = Fma(v, v, sums[k]);
    }
  }
  Vec sum = Add(Add(sums[0], sums[1]), Add(sums[2], sums[3]));
  ForVectors(n - i, [&](int64_t j, auto load, auto) {
    const Vec v = load(x + i + j);
    sum = Fma(v, v, sum);
  });
  return SumLanes(sum);
}

void RmsNorm(const float* x, const float* weight, float epsilon, int64_t n, float* out) noexcept {
  const float mean = SumOfSquares(x, n) / static_cast<float>(n);
  const Vec scale = Set(1.0F / __builtin_sqrtf(mean + epsilon));
  ForVectors(n, [&](int64_t i, auto load, auto store) {
    store(out + i, Mul(Mul(load(x + i), scale), load(weight + i)));
  });
}

void SiluMul(const float* gate, const float* up, int64_t n, float* out) noexcept {
  ForVectors(n, [&](int64_t i, auto load, auto store) {
    const Vec g = load(gate + i);
    const Vec silu = Div(g, Add(Set(1.0F), Exp(Sub(Zero(), g))));
    store(out + i, Mul(silu, load(up + i)));
  });
}

void AddScaled(const float* x, float scale, int64_t n, float* out) noexcept {
  const Vec factor = Set(scale);
  ForVectors(n, [&](int64_t i, auto load, auto store) {
    store(out + i, Fma(factor, load(x + i), load(out + i)));
  });
}

void RopeHalves(const float* cos, const float* sin, int64_t dim, float* x) noexcept {
  float* second = x + dim / 2;
  ForVectors(dim / 2, [&](int64_t i, auto load, auto store) {
    const Vec a = load(x + i);
    const Vec b = load(second + i);
    const Vec c = load(cos + i);
    const Vec s = load(sin + i);
    store(x + i, Fma(a, c, Sub(Zero(), Mul(b, s))));
    store(second + i, Fma(b, c, Mul(a, s)));
  });
}

void RopeInterleaved(const float* cos, const float* sin, int64_t dim, float* x) noexcept {
  ForVectors(dim, [&](int64_t i, auto load, auto store) {
    const Vec v = load(x + i);
    store(x + i, Fma(v, load(cos + i), Mul(SwapPairs(v), load(sin + i))));
  });
}

void ConvertFromF16(const uint16_t* x, int64_t n, float* out) noexcept {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(out + i, LoadF16(x + i));
  for (; i < n; ++i) out[i] = F16ToF32(x[i]);
}
void ConvertFromBf16(const uint16_t* x, int64_t n, float* out) noexcept {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(out + i, LoadBf16(x + i));
  for (; i < n; ++i) out[i] = Bf16ToF32(x[i]);
}
void ConvertToF16(const float* x, int64_t n, uint16_t* out) noexcept {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) StoreF16(out + i, Load(x + i));
  for (; i < n; ++i) out[i] = F32ToF16(x[i]);
}
void ConvertToBf16(const float* x, int64_t n, uint16_t* out) noexcept {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) StoreBf16(out + i, Load(x + i));
  for (; i < n; ++i) out[i] = F32ToBf16(x[i]);
}

// Max keeps its second argument where the first is NaN, so a NaN is never kept.
float MaxOf(const float* x, int64_t n) noexcept {
  const Vec lowest = Set(-__builtin_inff());
  Vec best = lowest;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) best = Max(Load(x + i), best);
  if (i < n) best = Max(SelectRange(LoadFirst(x + i, n - i), 0, n - i, lowest), best);
  return MaxLanes(best);
}

int64_t ArgMax(const float* x, int64_t n) noexcept {
  const float best = MaxOf(x, n);
  for (int64_t i = 0; i < n; ++i) {
    if (x[i] == best) return i;
  }
  return 0;  // nothing but NaNs
}

double SoftmaxExp(const float* x, int64_t n, float max, float scale, float* out) noexcept {
  constexpr int64_t kPiece = 64 * kLanes;  // so many F32 additions at most in a lane
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kPiece) {
    const int64_t count = n - begin < kPiece ? n - begin : kPiece;
    Vec sum = Zero();
    ForVectors(count, [&](int64_t i, auto load, auto store) {
      const Vec e = Exp(Mul(Sub(load(x + begin + i), Set(max)), Set(scale)));
      sum = Add(sum, SelectRange(e, 0, count - i, Zero()));
      store(out + begin + i, e);
    });
    total += SumLanes(sum);
  }
  return total;
}
