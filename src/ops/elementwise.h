// The small operations between matrix products. All are row-wise: a token's result does not depend on its neighbours.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "ops/context.h"
#include "tensor/tensor_view.h"

namespace pingti::ops {

// A vector of F32 parameters (norm weights), read from a file tensor of F32, F16 or BF16.
Result<std::vector<float>> ReadVector(const TensorView& tensor);

// out[t, i] = x[t, i] / sqrt(mean_i(x[t, i]^2) + epsilon) * weight[i]   (Zhang & Sennrich 2019). out may be x.
void RmsNorm(Context& ctx, Matrix x, std::span<const float> weight, float epsilon, Matrix out);

// out[t, i] = silu(gate[t, i]) * up[t, i] with silu(v) = v / (1 + exp(-v)). out may be gate.
void SiluMul(Context& ctx, Matrix gate, Matrix up, Matrix out);

// out[r, :] = x[rows[r], :]; out may be the first rows of x where `rows` ascend.
void GatherRows(Context& ctx, Matrix x, std::span<const int32_t> rows, Matrix out);

enum class RopePairs : uint8_t {
  kInterleaved,  // (x[2i], x[2i+1]): GGUF llama
  kHalves,       // (x[i], x[i + dim/2]): NEOX, GGUF qwen2
};

// Rotary embedding with every scaling folded into one frequency per pair and one magnitude.
struct RopeSpec {
  RopePairs pairs = RopePairs::kInterleaved;
  int64_t rotary_dim = 0;              // the first rotary_dim of each head rotate
  std::vector<float> inverse_frequency = {};  // [rotary_dim / 2], radians per position
  float magnitude = 1.0F;              // cos and sin are multiplied by it (YaRN's attention factor)
};

enum class RopeScaling : uint8_t { kNone, kLinear, kYarn };
struct RopeOptions {
  RopePairs pairs = RopePairs::kInterleaved;
  int64_t rotary_dim = 0;
  double base = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  int64_t original_context = 0;        // YaRN: the context the model was trained with
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  double attention_factor = 1.0;       // multiplies YaRN's own magnitude
  std::vector<float> frequency_factors = {};  // llama3: inverse frequencies are divided by these (rope_freqs.weight)
};
RopeSpec MakeRope(const RopeOptions& options);

// Rotates `heads` heads of `head_dim` floats in each row of x, in place; positions[t] is row t's.
void Rope(Context& ctx, const RopeSpec& rope, std::span<const int32_t> positions, int64_t heads,
          int64_t head_dim, Matrix x);

}  // namespace pingti::ops
