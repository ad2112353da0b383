// The definition of the vector kernels: scalar, in double, obvious. Never optimised.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/fill.h"
#include "tensor/float16.h"

namespace pingti::kernels::ref {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void RmsNorm(const float* x, const float* weight, float epsilon, int64_t n, float* out) noexcept {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double{x[i]} * x[i];
  const double scale = 1.0 / std::sqrt(sum / static_cast<double>(n) + epsilon);
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(x[i] * scale * weight[i]);
}

void SiluMul(const float* gate, const float* up, int64_t n, float* out) noexcept {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<float>(gate[i] / (1.0 + std::exp(-double{gate[i]})) * up[i]);
  }
}

void AddScaled(const float* x, float scale, int64_t n, float* out) noexcept {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(out[i] + double{scale} * x[i]);
}

void Rotate(double cos, double sin, float& first, float& second) {
  const double a = first;
  const double b = second;
  first = static_cast<float>(a * cos - b * sin);
  second = static_cast<float>(b * cos + a * sin);
}
void RopeHalves(const float* cos, const float* sin, int64_t dim, float* x) noexcept {
  for (int64_t i = 0; i < dim / 2; ++i) Rotate(cos[i], sin[i], x[i], x[i + dim / 2]);
}
void RopeInterleaved(const float* cos, const float* sin, int64_t dim, float* x) noexcept {
  for (int64_t i = 0; i < dim; i += 2) Rotate(cos[i], sin[i + 1], x[i], x[i + 1]);
}

void ConvertFromF16(const uint16_t* x, int64_t n, float* out) noexcept {
  for (int64_t i = 0; i < n; ++i) out[i] = F16ToF32(x[i]);
}
void ConvertFromBf16(const uint16_t* x, int64_t n, float* out) noexcept {
  for (int64_t i = 0; i < n; ++i) out[i] = Bf16ToF32(x[i]);
}
void ConvertToF16(const float* x, int64_t n, uint16_t* out) noexcept {
  for (int64_t i = 0; i < n; ++i) out[i] = F32ToF16(x[i]);
}
void ConvertToBf16(const float* x, int64_t n, uint16_t* out) noexcept {
  for (int64_t i = 0; i < n; ++i) out[i] = F32ToBf16(x[i]);
}

float MaxOf(const float* x, int64_t n) noexcept {
  float best = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}
int64_t ArgMax(const float* x, int64_t n) noexcept {
  int64_t best = 0;
  for (int64_t i = 1; i < n; ++i) {
    if (x[i] > x[best] || (std::isnan(x[best]) && !std::isnan(x[i]))) best = i;
  }
  return best;
}
double SoftmaxExp(const float* x, int64_t n, float max, float scale, float* out) noexcept {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double e = std::exp((double{x[i]} - max) * scale);
    out[i] = static_cast<float>(e);
    sum += e;
  }
  return sum;
}

void JoinStates(const AttentionState& next, int64_t rows, int64_t value_dim, const AttentionState& state) noexcept {
  const int64_t stride = ValueStride(value_dim);
  for (int64_t row = 0; row < rows; ++row) {
    if (next.sums[row] == 0) continue;
    const double max = std::max(next.maxima[row], state.maxima[row]);
    const double keep = std::exp2(state.maxima[row] - max);
    const double take = std::exp2(next.maxima[row] - max);
    for (int64_t i = row * stride; i < (row + 1) * stride; ++i) {
      state.values[i] = static_cast<float>(state.values[i] * keep + next.values[i] * take);
    }
    state.sums[row] = static_cast<float>(state.sums[row] * keep + next.sums[row] * take);
    state.maxima[row] = static_cast<float>(max);
  }
}
void FinishRow(const float* values, float sum, int64_t value_dim, float* out) noexcept {
  for (int64_t i = 0; i < value_dim; ++i) out[i] = static_cast<float>(double{values[i]} / sum);
}

// The cells of one head's part of a KV block, element by element.
template <KvType kType>
struct Head {
  static constexpr bool kQ8 = kType == KvType::kQ8;
  static double Decode(const std::byte* cell, const float* scale) {
    if constexpr (kQ8) return double{*scale} * *reinterpret_cast<const int8_t*>(cell);
    const uint16_t bits = *reinterpret_cast<const uint16_t*>(cell);
    return kType == KvType::kF16 ? F16ToF32(bits) : Bf16ToF32(bits);
  }
  static const float* Scale(const std::byte* head, int64_t cells, int32_t slot) {
    return reinterpret_cast<const float*>(head + cells * static_cast<int64_t>(KvElementBytes(kType))) + slot;
  }
  static int64_t KeyCell(int64_t i, int32_t slot) { return i * kKvBlock + slot; }
  static int64_t ValueCell(int64_t i, int32_t slot, int64_t dim) { return slot * ValueStride(dim) + i; }
  static int64_t Offset(int64_t cell) { return cell * static_cast<int64_t>(KvElementBytes(kType)); }

  static double Key(const std::byte* head, int64_t dim, int64_t i, int32_t slot) {
    return Decode(head + Offset(KeyCell(i, slot)), Scale(head, dim * kKvBlock, slot));
  }
  static double Value(const std::byte* head, int64_t dim, int64_t i, int32_t slot) {
    return Decode(head + Offset(ValueCell(i, slot, dim)), Scale(head, ValueStride(dim) * kKvBlock, slot));
  }

  template <typename CellOf>
  static void Write(const float* x, int64_t dim, int64_t cells, int32_t slot, std::byte* head, CellOf cell_of) {
    float largest = 0;
    for (int64_t i = 0; i < dim; ++i) largest = std::max(largest, std::fabs(x[i]));
    for (int64_t i = 0; i < dim; ++i) {
      std::byte* cell = head + Offset(cell_of(i));
      if constexpr (kQ8) {
        const float scaled = largest > 0 ? x[i] * (127.0F / largest) : 0;
        *reinterpret_cast<int8_t*>(cell) = static_cast<int8_t>(std::nearbyint(scaled));
      } else {
        const float clamped = std::clamp(x[i], -65504.0F, 65504.0F);
        *reinterpret_cast<uint16_t*>(cell) = kType == KvType::kF16 ? F32ToF16(clamped) : F32ToBf16(x[i]);
      }
    }
    if constexpr (kQ8) *const_cast<float*>(Scale(head, cells, slot)) = largest / 127.0F;
  }
  static void WriteKey(const float* keys, int64_t dim, int32_t slot, std::byte* head) noexcept {
    Write(keys, dim, dim * kKvBlock, slot, head, [&](int64_t i) { return KeyCell(i, slot); });
  }
  static void WriteValue(const float* values, int64_t dim, int32_t slot, std::byte* head) noexcept {
    Write(values, dim, ValueStride(dim) * kKvBlock, slot, head, [&](int64_t i) { return ValueCell(i, slot, dim); });
    for (int64_t i = dim; i < ValueStride(dim); ++i) {
      std::fill_n(head + Offset(ValueCell(i, slot, dim)), KvElementBytes(kType), std::byte{0});
    }
  }
  static void ReadKey(const std::byte* head, int64_t dim, int32_t slot, float* keys) noexcept {
    for (int64_t i = 0; i < dim; ++i) keys[i] = static_cast<float>(Key(head, dim, i, slot));
  }
  static void ReadValue(const std::byte* head, int64_t dim, int32_t slot, float* values) noexcept {
    for (int64_t i = 0; i < dim; ++i) values[i] = static_cast<float>(Value(head, dim, i, slot));
  }

  // One row: softmax over all its scores at once.
  static void AttendRow(const AttentionTask& task, int64_t row, const AttentionState& out) {
    const int64_t token = task.position + row / task.group;
    const float* q = task.queries + row / task.group * task.query_stride + row % task.group * task.key_dim;
    const int64_t begin = task.window > 0 ? std::max<int64_t>(0, token - task.window + 1) : 0;
    const int64_t end = std::min<int64_t>(token + 1, kKvSplit);
    std::vector<double> scores;
    double max = -kInfinity;
    for (int64_t p = begin; p < end; ++p) {
      double score = 0;
      for (int64_t d = 0; d < task.key_dim; ++d) {
        score += q[d] * Key(task.keys[p / kKvBlock], task.key_dim, d, static_cast<int32_t>(p % kKvBlock));
      }
      scores.push_back(score * task.scale_log2);
      max = std::max(max, scores.back());
    }
    std::vector<double> values(static_cast<size_t>(ValueStride(task.value_dim)));
    double sum = 0;
    for (int64_t p = begin; p < end; ++p) {
      const double weight = std::exp2(scores[static_cast<size_t>(p - begin)] - max);
      sum += weight;
      for (int64_t i = 0; i < task.value_dim; ++i) {
        values[static_cast<size_t>(i)] +=
            weight * Value(task.values[p / kKvBlock], task.value_dim, i, static_cast<int32_t>(p % kKvBlock));
      }
    }
    out.maxima[row] = static_cast<float>(max);
    out.sums[row] = static_cast<float>(sum);
    std::transform(values.begin(), values.end(), out.values + row * ValueStride(task.value_dim),
                   [](double v) { return static_cast<float>(v); });
  }
  static void Attend(const AttentionTask& task, const AttentionState& out) noexcept {
    for (int64_t row = 0; row < int64_t{task.tokens} * task.group; ++row) AttendRow(task, row, out);
  }
  static KvKernels Make() {
    return {.write_key = WriteKey, .write_value = WriteValue, .read_key = ReadKey, .read_value = ReadValue,
            .attend = Attend};
  }
};

}  // namespace

void FillVector(VectorKernels& kernels) {
  kernels = {.rms_norm = RmsNorm,
             .silu_mul = SiluMul,
             .add_scaled = AddScaled,
             .rope_halves = RopeHalves,
             .rope_interleaved = RopeInterleaved,
             .f16_to_f32 = ConvertFromF16,
             .bf16_to_f32 = ConvertFromBf16,
             .f32_to_f16 = ConvertToF16,
             .f32_to_bf16 = ConvertToBf16,
             .max = MaxOf,
             .argmax = ArgMax,
             .softmax_exp = SoftmaxExp,
             .join = JoinStates,
             .finish = FinishRow,
             .kv = {Head<KvType::kF16>::Make(), Head<KvType::kBF16>::Make(), Head<KvType::kQ8>::Make()}};
}

}  // namespace pingti::kernels::ref
