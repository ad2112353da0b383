#include "product_check.h"

#include <gtest/gtest.h>

#include <string>

namespace pingti::apps {
namespace {

TEST(ProductCheck, EveryTableIsRight) {
  for (int i = 0; i < kernels::kIsaLevelCount; ++i) {
    const auto level = static_cast<kernels::IsaLevel>(i);
    if (!kernels::CpuHas(level)) continue;
    const Status status = CheckProducts(kernels::MakeTable(level));
    EXPECT_TRUE(status.ok()) << kernels::IsaLevelName(level) << ": " << status.message();
  }
}

// A kernel with one wrong output.
template <bool kFew>
void Wrong(const kernels::ProductArgs& args) noexcept {
  const auto right = kernels::MakeTable(kernels::IsaLevel::kScalar).matmul.weights[static_cast<size_t>(DType::kQ4_K)];
  (kFew ? right.multiply_few : right.multiply_many)(args);
  args.out[args.rows - 1] += 1000.0F;
}

TEST(ProductCheck, AWrongKernelIsNamedWhetherItIsForFewOrManyTokens) {
  for (const bool few : {true, false}) {
    kernels::KernelTable table = kernels::MakeTable(kernels::IsaLevel::kScalar);
    kernels::WeightKernels& weights = table.matmul.weights[static_cast<size_t>(DType::kQ4_K)];
    (few ? weights.multiply_few : weights.multiply_many) = few ? Wrong<true> : Wrong<false>;
    const Status status = CheckProducts(table);
    ASSERT_FALSE(status.ok()) << (few ? "few" : "many");
    EXPECT_NE(status.message().find(few ? "Q4_K with 2 tokens" : "Q4_K with 17 tokens"), std::string::npos)
        << status.message();
  }
}

}  // namespace
}  // namespace pingti::apps
