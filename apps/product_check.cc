#include "product_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/testing/random_weights.h"
#include "ops/linear.h"

namespace pingti::apps {
namespace {

constexpr int64_t kRows = 40;   // outputs: some tiles and a part of one
constexpr int64_t kCols = 512;  // inputs
constexpr int64_t kTokens[] = {2, 17};  // few and many have kernels of their own
constexpr double kTolerance =
    0.05;  // of the largest value: 8-bit activations are below, a wrong lane far above

ops::Matrix View(std::vector<float>& data, int64_t cols) {
  return {data.data(), static_cast<int64_t>(data.size()) / cols, cols, cols};
}

Result<std::vector<float>> Product(ops::Context& context, DType type, int64_t tokens, bool prompt) {
  const std::vector<std::byte> bytes = kernels::RandomWeights(type, kRows * kCols, 7);
  const TensorView tensor{
      .name = "check", .type = type, .dims = 2, .shape = {kRows, kCols, 1, 1}, .bytes = bytes};
  const ops::Linear::Source source{.weight = &tensor};
  PT_ASSIGN(const ops::Linear linear, ops::Linear::Pack(context, std::span(&source, 1)));
  std::vector<float> x = kernels::RandomActivations(static_cast<size_t>(tokens * kCols), 8);
  std::vector<float> out(static_cast<size_t>(tokens * kRows));
  linear.Apply(context, View(x, kCols), View(out, kRows), prompt ? 0 : tokens);
  return out;
}

Status CheckType(ops::Context& tested, ops::Context& trusted, DType type, int64_t tokens, bool prompt) {
  PT_ASSIGN(const std::vector<float> found, Product(tested, type, tokens, prompt));
  PT_ASSIGN(const std::vector<float> wanted, Product(trusted, type, tokens, prompt));
  double largest = 0;
  double difference = 0;
  for (size_t k = 0; k < wanted.size(); ++k) {
    largest = std::max(largest, std::abs(static_cast<double>(wanted[k])));
    const double d = std::abs(static_cast<double>(found[k]) - wanted[k]);
    difference = std::isfinite(d) ? std::max(difference, d) : INFINITY;
  }
  if (difference <= kTolerance * largest) return Status::Ok();
  return Internal(fmt::format(
      "the product of {} with {} tokens of {} differs from the reference by {:.3g} where the largest value is {:.3g}",
      Info(type).name, tokens, prompt ? "a prompt" : "answers", difference, largest));
}

}  // namespace

Status CheckProducts(const kernels::KernelTable& table) {
  const kernels::KernelTable reference = kernels::ReferenceTable();
  ThreadPool pool({.threads = 1});
  ops::Context tested{pool, table};
  ops::Context trusted{pool, reference};
  for (size_t i = 0; i < kDTypeCount; ++i) {
    for (const int64_t tokens : kTokens) {
      for (const bool prompt : {false, true}) {
        PT_TRY(CheckType(tested, trusted, static_cast<DType>(i), tokens, prompt));
      }
    }
  }
  return Status::Ok();
}

}  // namespace pingti::apps
