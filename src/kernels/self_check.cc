#include "kernels/self_check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace pingti::kernels {
namespace {

constexpr double kEpsilon = 0x1p-24;  // one rounding of a float
constexpr int64_t kLength = 1003;     // whole vectors of every level, and a rest

// A fixed sequence in [-2, 2) (Knuth's MMIX generator).
std::vector<float> Numbers(size_t n, uint64_t seed) {
  std::vector<float> out(n);
  uint64_t state = seed;
  for (float& x : out) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    x = static_cast<float>(static_cast<int32_t>(state >> 32)) * 0x1p-30F;
  }
  return out;
}

// The largest |a - b| over scale(i); NaN anywhere is infinitely wrong.
template <typename Scale>
double LargestError(const std::vector<float>& a, const std::vector<float>& b, Scale scale) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double error = std::fabs(double{a[i]} - b[i]) / scale(i);
    if (!(error <= largest)) largest = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
  }
  return largest;
}
double RelativeError(const std::vector<float>& a, const std::vector<float>& b) {
  return LargestError(a, b, [&](size_t i) { return std::max(1e-30, std::fabs(double{b[i]})); });
}

// Runs `call` with the kernels of the table and of the reference, each on a copy of `out`.
struct Pair {
  const VectorKernels& table;
  const VectorKernels& reference;
  template <typename Call>
  double Compare(const std::vector<float>& out, Call call) const {
    std::vector<float> a = out;
    std::vector<float> b = out;
    call(table, a.data());
    call(reference, b.data());
    return RelativeError(a, b);
  }
};

void TestElementwise(const Pair& pair, std::vector<SelfTestResult>& results) {
  const std::vector<float> x = Numbers(kLength, 1);
  const std::vector<float> y = Numbers(kLength, 2);
  const auto add = [&](const char* kernel, double error, double roundings) {
    results.push_back({.kernel = kernel, .error = error, .bound = roundings * kEpsilon});
  };
  add("rms_norm", pair.Compare(x, [&](const VectorKernels& k, float* out) {
        k.rms_norm(x.data(), y.data(), 1e-6F, kLength, out);
      }), kLength / 2.0);
  add("silu_mul", pair.Compare(x, [&](const VectorKernels& k, float* out) {
        k.silu_mul(x.data(), y.data(), kLength, out);
      }), 12);
  constexpr float kScale = 1.5F;  // 1.5 * x has one rounding more than the reference; x and y may cancel
  std::vector<float> positive(x.size());
  std::transform(x.begin(), x.end(), positive.begin(), [](float v) { return std::fabs(v); });
  add("add_scaled", pair.Compare(positive, [&](const VectorKernels& k, float* out) {
        k.add_scaled(positive.data(), kScale, kLength, out);
      }), 4);
  add("softmax_exp", pair.Compare(x, [&](const VectorKernels& k, float* out) {
        k.softmax_exp(x.data(), kLength, 2.0F, 1.0F, out);
      }), 20);
  const bool same_max = pair.table.max(x.data(), kLength) == pair.reference.max(x.data(), kLength) &&
                        pair.table.argmax(x.data(), kLength) == pair.reference.argmax(x.data(), kLength);
  add("max, argmax", same_max ? 0 : 1, 0);
}

void TestRope(const Pair& pair, std::vector<SelfTestResult>& results) {
  constexpr int64_t kDim = 80;
  const std::vector<float> x = Numbers(kDim, 3);
  std::vector<float> cos(kDim);
  std::vector<float> sin(kDim);
  for (size_t i = 0; i < kDim; ++i) {
    cos[i] = std::cos(0.1F * static_cast<float>(i / 2));
    sin[i] = std::sin(0.1F * static_cast<float>(i / 2)) * (i % 2 == 0 ? -1.0F : 1.0F);
  }
  const auto error = [&](auto kernel) {
    std::vector<float> a = x;
    std::vector<float> b = x;
    (pair.table.*kernel)(cos.data(), sin.data(), kDim, a.data());
    (pair.reference.*kernel)(cos.data(), sin.data(), kDim, b.data());
    return LargestError(a, b, [](size_t) { return 4.0; });  // |x| < 2, two products
  };
  results.push_back({.kernel = "rope_halves", .error = error(&VectorKernels::rope_halves), .bound = 3 * kEpsilon});
  results.push_back(
      {.kernel = "rope_interleaved", .error = error(&VectorKernels::rope_interleaved), .bound = 3 * kEpsilon});
}

void TestConversions(const Pair& pair, std::vector<SelfTestResult>& results) {
  const std::vector<float> x = Numbers(kLength, 4);
  const auto add = [&](const char* kernel, auto narrow, auto widen) {
    std::vector<uint16_t> a(x.size());
    std::vector<uint16_t> b(x.size());
    (pair.table.*narrow)(x.data(), kLength, a.data());
    (pair.reference.*narrow)(x.data(), kLength, b.data());
    const double error = pair.Compare(x, [&](const VectorKernels& k, float* out) { (k.*widen)(b.data(), kLength, out); });
    results.push_back({.kernel = kernel, .error = a == b ? error : 1, .bound = 0});
  };
  add("f16", &VectorKernels::f32_to_f16, &VectorKernels::f16_to_f32);
  add("bf16", &VectorKernels::f32_to_bf16, &VectorKernels::bf16_to_f32);
}

// A split of 70 positions seen by 5 tokens of a group of 3, with heads of dimension 40 written by the reference.
double AttentionError(const Pair& pair, KvType type) {
  constexpr int32_t kTokens = 5, kGroup = 3, kDim = 40, kPositions = 70, kRows = kTokens * kGroup;
  constexpr int32_t kBlocks = (kPositions + kKvBlock - 1) / kKvBlock;
  const std::vector<float> queries = Numbers(kRows * kDim, 5);
  const std::vector<float> cells = Numbers(2 * kPositions * kDim, 6);
  const KvKernels& writer = pair.reference.kv[static_cast<size_t>(type)];
  std::vector<std::vector<std::byte>> keys(kBlocks, std::vector<std::byte>(KeyHeadBytes(type, kDim)));
  std::vector<std::vector<std::byte>> values(kBlocks, std::vector<std::byte>(ValueHeadBytes(type, kDim)));
  for (int32_t p = 0; p < kPositions; ++p) {
    const auto block = static_cast<size_t>(p / kKvBlock);
    writer.write_key(cells.data() + 2 * p * kDim, kDim, p % kKvBlock, keys[block].data());
    writer.write_value(cells.data() + (2 * p + 1) * kDim, kDim, p % kKvBlock, values[block].data());
  }
  std::array<const std::byte*, kBlocks> key_blocks;
  std::array<const std::byte*, kBlocks> value_blocks;
  for (size_t i = 0; i < kBlocks; ++i) {
    key_blocks[i] = keys[i].data();
    value_blocks[i] = values[i].data();
  }
  const auto run = [&](const VectorKernels& k) {
    std::vector<float> scratch(AttentionScratchFloats(kRows, kDim, kDim));
    std::vector<float> maxima(kRows), sums(kRows), sums_of_values(kRows * ValueStride(kDim)), out(kRows * kDim);
    k.kv[static_cast<size_t>(type)].attend(
        {.queries = queries.data(), .query_stride = kGroup * kDim, .tokens = kTokens, .group = kGroup,
         .position = kPositions - kTokens, .scale_log2 = 0.25F, .key_dim = kDim, .value_dim = kDim,
         .keys = key_blocks.data(), .values = value_blocks.data(), .scratch = scratch.data()},
        {.maxima = maxima.data(), .sums = sums.data(), .values = sums_of_values.data()});
    for (size_t row = 0; row < kRows; ++row) {
      k.finish(sums_of_values.data() + row * ValueStride(kDim), sums[row], kDim, out.data() + row * kDim);
    }
    return out;
  };
  return LargestError(run(pair.table), run(pair.reference), [](size_t) { return 2.0; });  // |values| < 2
}

void TestAttention(const Pair& pair, std::vector<SelfTestResult>& results) {
  constexpr std::array<const char*, kKvTypeCount> kNames = {"attention f16", "attention bf16", "attention q8"};
  for (size_t type = 0; type < kNames.size(); ++type) {
    // A score is a sum of 40 products of at most 1; its error passes the softmax twice (weight and sum).
    results.push_back({.kernel = kNames[type], .error = AttentionError(pair, static_cast<KvType>(type)),
                       .bound = (2 * 40 * 40 + 70) * kEpsilon});
  }
}

}  // namespace

std::vector<SelfTestResult> SelfTest(const KernelTable& table) {
  const KernelTable reference = ReferenceTable();
  const Pair pair{table.vector, reference.vector};
  std::vector<SelfTestResult> results;
  TestElementwise(pair, results);
  TestRope(pair, results);
  TestConversions(pair, results);
  TestAttention(pair, results);
  return results;
}

}  // namespace pingti::kernels
