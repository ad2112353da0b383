#include "ops/elementwise.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/check.h"
#include "tensor/float16.h"

namespace pingti::ops {

// cos and sin for the rows of the batch at hand: the layers of a model ask for the same ones.
struct RopeTable {
  RopePairs pairs = RopePairs::kInterleaved;
  std::vector<float> inverse_frequency;
  float magnitude = 0;
  std::vector<int32_t> positions;
  std::vector<float> cos_sin;  // [rows, 2, rotary_dim] as the rope kernels want it
};

namespace {

// A fork and join costs a few microseconds; below this many values one thread is done sooner.
constexpr int64_t kForkValues = 1 << 15;

// fn(row) for each of `rows` rows of `values` values, over the pool where it pays.
template <typename F>
void ForRows(Context& ctx, int64_t rows, int64_t values, F&& fn) {
  const auto range = [&](size_t begin, size_t end) {
    for (size_t row = begin; row < end; ++row) fn(static_cast<int64_t>(row));
  };
  if (rows * values < kForkValues) return range(0, static_cast<size_t>(rows));
  const int64_t grain = std::max<int64_t>(1, kForkValues / 4 / std::max<int64_t>(1, values));
  ctx.pool.ForEach(static_cast<size_t>(rows), static_cast<size_t>(grain), range);
}

void CheckSameShape(const Matrix& a, const Matrix& b) {
  PT_CHECK(a.rows == b.rows && a.cols == b.cols, "matrices of the same shape");
}

// The rotations at angle position * frequency, computed in double: float loses them at large positions.
void FillRopeRow(const RopeSpec& rope, int32_t position, float* cos, float* sin) {
  const bool interleaved = rope.pairs == RopePairs::kInterleaved;
  for (size_t i = 0; i < rope.inverse_frequency.size(); ++i) {
    const double angle = position * double{rope.inverse_frequency[i]};
    const auto c = static_cast<float>(std::cos(angle) * rope.magnitude);
    const auto s = static_cast<float>(std::sin(angle) * rope.magnitude);
    const size_t at = interleaved ? 2 * i : i;
    cos[at] = c;
    sin[at] = interleaved ? -s : s;
    if (interleaved) {
      cos[at + 1] = c;
      sin[at + 1] = s;
    }
  }
}

const RopeTable& TableOf(Context& ctx, const RopeSpec& rope, std::span<const int32_t> positions) {
  if (!ctx.maybe_rope_table) ctx.maybe_rope_table = std::make_shared<RopeTable>();
  RopeTable& table = *ctx.maybe_rope_table;
  if (table.pairs == rope.pairs && table.magnitude == rope.magnitude &&
      table.inverse_frequency == rope.inverse_frequency &&
      std::equal(positions.begin(), positions.end(), table.positions.begin(), table.positions.end())) {
    return table;
  }
  table.pairs = rope.pairs;
  table.magnitude = rope.magnitude;
  table.inverse_frequency = rope.inverse_frequency;
  table.positions.assign(positions.begin(), positions.end());
  table.cos_sin.resize(positions.size() * 2 * static_cast<size_t>(rope.rotary_dim));
  ForRows(ctx, static_cast<int64_t>(positions.size()), 16 * rope.rotary_dim, [&](int64_t row) {
    float* cos = table.cos_sin.data() + row * 2 * rope.rotary_dim;
    FillRopeRow(rope, positions[static_cast<size_t>(row)], cos, cos + rope.rotary_dim);
  });
  return table;
}

// The pair whose wavelength makes `turns` turns in the original context (Peng et al. 2023, YaRN, section 3.2).
double PairOfTurns(const RopeOptions& options, double turns) {
  const double wavelength_ratio = static_cast<double>(options.original_context) / (turns * 2 * M_PI);
  return static_cast<double>(options.rotary_dim) * std::log(wavelength_ratio) / (2 * std::log(options.base));
}

// How much of pair i's frequency is interpolated: 0 for pairs that turn often, 1 for those that turn slowly.
double YarnRamp(const RopeOptions& options, double pair) {
  const double low = std::max(0.0, std::floor(PairOfTurns(options, options.beta_fast)));
  const double high = std::min(static_cast<double>(options.rotary_dim - 1),
                               std::ceil(PairOfTurns(options, options.beta_slow)));
  constexpr double kWidthMin = 0.001;  // low == high: a step
  return std::clamp((pair - low) / std::max(kWidthMin, high - low), 0.0, 1.0);
}

}  // namespace

Result<std::vector<float>> ReadVector(const TensorView& tensor) {
  const auto n = static_cast<size_t>(tensor.rows() * tensor.cols());
  if (tensor.type != DType::kF32 && tensor.type != DType::kF16 && tensor.type != DType::kBF16) {
    return InvalidArgument("tensor " + tensor.name + ": a vector of F32, F16 or BF16 is wanted, found " +
                           std::string(Info(tensor.type).name));
  }
  if (tensor.bytes.size() != RowBytes(tensor.type, n)) {
    return DataLoss("tensor " + tensor.name + ": " + std::to_string(n) + " values need " +
                    std::to_string(RowBytes(tensor.type, n)) + " bytes, found " + std::to_string(tensor.bytes.size()));
  }
  std::vector<float> out(n);
  if (tensor.type == DType::kF32) {
    std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
    return out;
  }
  // Files do not align tensors of 16-bit values for us.
  std::vector<uint16_t> halves(n);
  std::memcpy(halves.data(), tensor.bytes.data(), tensor.bytes.size());
  std::transform(halves.begin(), halves.end(), out.begin(), tensor.type == DType::kF16 ? F16ToF32 : Bf16ToF32);
  return out;
}

void RmsNorm(Context& ctx, Matrix x, std::span<const float> weight, float epsilon, Matrix out) {
  CheckSameShape(x, out);
  PT_CHECK(static_cast<int64_t>(weight.size()) == x.cols, "one weight for each column");
  ForRows(ctx, x.rows, x.cols, [&](int64_t row) {
    ctx.kernels.vector.rms_norm(x.data + row * x.stride, weight.data(), epsilon, x.cols, out.data + row * out.stride);
  });
}

void SiluMul(Context& ctx, Matrix gate, Matrix up, Matrix out) {
  CheckSameShape(gate, up);
  CheckSameShape(gate, out);
  constexpr int64_t kExpCost = 4;  // an exponential and a division cost about so many plain values
  ForRows(ctx, gate.rows, kExpCost * gate.cols, [&](int64_t row) {
    ctx.kernels.vector.silu_mul(gate.data + row * gate.stride, up.data + row * up.stride, gate.cols,
                                out.data + row * out.stride);
  });
}

void GatherRows(Context&, Matrix x, std::span<const int32_t> rows, Matrix out) {
  PT_CHECK(out.rows == static_cast<int64_t>(rows.size()) && out.cols == x.cols, "a row of out for each row gathered");
  for (size_t r = 0; r < rows.size(); ++r) {
    PT_CHECK(rows[r] >= 0 && rows[r] < x.rows, "a gathered row is a row of x");
    std::memmove(out.data + static_cast<int64_t>(r) * out.stride, x.data + rows[r] * x.stride,
                static_cast<size_t>(x.cols) * sizeof(float));
  }
}

RopeSpec MakeRope(const RopeOptions& options) {
  PT_CHECK(options.rotary_dim > 0 && options.rotary_dim % 2 == 0, "pairs rotate");
  const auto pairs = static_cast<size_t>(options.rotary_dim / 2);
  PT_CHECK(options.frequency_factors.empty() || options.frequency_factors.size() == pairs,
           "one frequency factor for each pair");
  RopeSpec rope{.pairs = options.pairs, .rotary_dim = options.rotary_dim, .inverse_frequency = {}};
  const bool yarn = options.scaling == RopeScaling::kYarn;
  for (size_t i = 0; i < pairs; ++i) {
    const auto pair = static_cast<double>(i);
    double frequency = std::pow(options.base, -2 * pair / static_cast<double>(options.rotary_dim));
    if (!options.frequency_factors.empty()) frequency /= double{options.frequency_factors[i]};
    double interpolated = 0;  // share of the frequency that is divided by the factor
    if (options.scaling == RopeScaling::kLinear) interpolated = 1;
    if (yarn) interpolated = YarnRamp(options, pair);
    frequency = frequency * (1 - interpolated) + frequency / options.factor * interpolated;
    rope.inverse_frequency.push_back(static_cast<float>(frequency));
  }
  if (yarn) {
    constexpr double kLogWeight = 0.1;  // YaRN, equation 22
    const double own = options.factor > 1 ? 1 + kLogWeight * std::log(options.factor) : 1;
    rope.magnitude = static_cast<float>(options.attention_factor * own);
  }
  return rope;
}

void Rope(Context& ctx, const RopeSpec& rope, std::span<const int32_t> positions, int64_t heads, int64_t head_dim,
          Matrix x) {
  PT_CHECK(static_cast<int64_t>(positions.size()) == x.rows, "a position for each row");
  PT_CHECK(heads * head_dim <= x.cols && rope.rotary_dim <= head_dim, "the heads are inside the row");
  const RopeTable& table = TableOf(ctx, rope, positions);
  const auto rotate = rope.pairs == RopePairs::kHalves ? ctx.kernels.vector.rope_halves
                                                       : ctx.kernels.vector.rope_interleaved;
  ForRows(ctx, x.rows, heads * rope.rotary_dim, [&](int64_t row) {
    const float* cos = table.cos_sin.data() + row * 2 * rope.rotary_dim;
    for (int64_t head = 0; head < heads; ++head) {
      rotate(cos, cos + rope.rotary_dim, rope.rotary_dim, x.data + row * x.stride + head * head_dim);
    }
  });
}

}  // namespace pingti::ops
