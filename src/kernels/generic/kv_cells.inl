// Writing and reading single positions of KV blocks; attention.h has the layout.

template <typename Elements>
inline uint16_t ToHalf(float x) {
  if constexpr (Elements::kType == KvType::kBF16) {
    return F32ToBf16(x);
  } else {
    constexpr float kF16Max = 65504.0F;
    return F32ToF16(x > kF16Max ? kF16Max : (x < -kF16Max ? -kF16Max : x));
  }
}

struct Quantiser {
  float scale = 0;    // value = scale * int8
  float inverse = 0;  // int8 = round(value * inverse)
};
inline Quantiser QuantiserOf(const float* x, int64_t dim) {
  float largest = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const float magnitude = x[i] < 0 ? -x[i] : x[i];
    largest = magnitude > largest ? magnitude : largest;
  }
  constexpr float kFloatMax = 3.4028235e38F;
  if (!(largest > 0x1p-120F) || largest > kFloatMax) return {};  // nothing but zeros, or not finite
  return {.scale = largest / 127.0F, .inverse = 127.0F / largest};
}
inline int8_t ToInt8(float x, float inverse) {
  const float scaled = x * inverse;
  // Round to even by the addition that leaves no room for a fraction. |scaled| <= 127 but for NaN, which becomes 0.
  const float rounded = (scaled + 0x1.8p23F) - 0x1.8p23F;
  return rounded >= -128.0F && rounded <= 127.0F ? static_cast<int8_t>(rounded) : int8_t{0};
}

// Position `slot`, element i is at cells[i * step + slot * first].
struct CellOrder {
  int64_t step;
  int64_t first;
};

template <typename Elements>
inline void WriteCells(const float* x, int64_t dim, CellOrder order, int32_t slot, int64_t scales_at, std::byte* head) {
  auto* cells = reinterpret_cast<typename Elements::Element*>(head) + slot * order.first;
  if constexpr (Elements::kScaled) {
    const Quantiser quantiser = QuantiserOf(x, dim);
    for (int64_t i = 0; i < dim; ++i) cells[i * order.step] = ToInt8(x[i], quantiser.inverse);
    std::memcpy(head + scales_at + slot * static_cast<int64_t>(sizeof(float)), &quantiser.scale, sizeof(float));
  } else {
    for (int64_t i = 0; i < dim; ++i) cells[i * order.step] = ToHalf<Elements>(x[i]);
  }
}

template <typename Elements>
inline void ReadCells(const std::byte* head, int64_t dim, CellOrder order, int32_t slot, int64_t scales_at, float* x) {
  const auto* cells = reinterpret_cast<const typename Elements::Element*>(head) + slot * order.first;
  float scale = 1;
  if constexpr (Elements::kScaled) {
    std::memcpy(&scale, head + scales_at + slot * static_cast<int64_t>(sizeof(float)), sizeof(float));
  }
  for (int64_t i = 0; i < dim; ++i) {
    const auto cell = cells[i * order.step];
    if constexpr (Elements::kScaled) {
      x[i] = scale * static_cast<float>(cell);
    } else if constexpr (Elements::kType == KvType::kBF16) {
      x[i] = Bf16ToF32(cell);
    } else {
      x[i] = F16ToF32(cell);
    }
  }
}

template <typename Elements>
inline int64_t ScalesAt(int64_t dim) {
  return dim * kKvBlock * static_cast<int64_t>(sizeof(typename Elements::Element));
}

template <typename Elements>
void WriteKey(const float* keys, int64_t dim, int32_t slot, std::byte* head) noexcept {
  WriteCells<Elements>(keys, dim, {.step = kKvBlock, .first = 1}, slot, ScalesAt<Elements>(dim), head);
}
template <typename Elements>
void WriteValue(const float* values, int64_t dim, int32_t slot, std::byte* head) noexcept {
  const int64_t stride = ValueStride(dim);
  WriteCells<Elements>(values, dim, {.step = 1, .first = stride}, slot, ScalesAt<Elements>(stride), head);
  auto* cells = reinterpret_cast<typename Elements::Element*>(head) + slot * stride;
  for (int64_t i = dim; i < stride; ++i) cells[i] = 0;
}
template <typename Elements>
void ReadKey(const std::byte* head, int64_t dim, int32_t slot, float* keys) noexcept {
  ReadCells<Elements>(head, dim, {.step = kKvBlock, .first = 1}, slot, ScalesAt<Elements>(dim), keys);
}
template <typename Elements>
void ReadValue(const std::byte* head, int64_t dim, int32_t slot, float* values) noexcept {
  const int64_t stride = ValueStride(dim);
  ReadCells<Elements>(head, dim, {.step = 1, .first = stride}, slot, ScalesAt<Elements>(stride), values);
}
