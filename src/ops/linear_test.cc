#include "ops/linear.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "gtest/gtest.h"
#include "kernels/ref/dequantize.h"
#include "kernels/testing/random_weights.h"

namespace pingti::ops {
namespace {

// A tensor that owns its bytes.
struct OwnedTensor {
  std::vector<std::byte> bytes;
  TensorView view;

  OwnedTensor(std::string name, DType type, int64_t rows, int64_t cols, uint64_t seed)
      : bytes(kernels::RandomWeights(type, static_cast<size_t>(rows * cols), seed)) {
    view = {std::move(name), type, 2, {rows, cols, 1, 1}, bytes};
  }
};

constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

class LinearTest : public testing::Test {
 protected:
  ThreadPool pool_{{.threads = 2, .pin = false}};
  kernels::KernelTable table_ = **kernels::ProcessTable();
  Context ctx_{pool_, table_};

  // [rows, w.out()] of the product alone with guards checked by the caller's shape. The first rows are of answers.
  std::vector<float> Apply(const Linear& linear, std::vector<float>& x, int64_t answers = kAll) {
    const int64_t rows = static_cast<int64_t>(x.size()) / linear.in();
    std::vector<float> out(static_cast<size_t>(rows * linear.out()));
    linear.Apply(ctx_, {x.data(), rows, linear.in(), linear.in()},
                 {out.data(), rows, linear.out(), linear.out()}, answers);
    return out;
  }
};

// Rows of answers (kAll) and of prompts (0).
class LinearRowsTest : public LinearTest, public testing::WithParamInterface<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Kinds, LinearRowsTest, testing::Values(kAll, 0),
                         [](const auto& kind) { return kind.param == 0 ? "Prompts" : "Answers"; });

TEST_F(LinearTest, JoinsSourcesOfDifferentTypes) {
  const OwnedTensor q("q", DType::kQ4_K, 100, 512, 1);
  const OwnedTensor k("k", DType::kQ6_K, 33, 512, 2);
  const OwnedTensor v("v", DType::kF16, 17, 512, 3);
  const OwnedTensor bias("k.bias", DType::kF32, 1, 33, 4);
  const Linear::Source sources[] = {{&q.view, nullptr}, {&k.view, &bias.view}, {&v.view, nullptr}};
  const Result<Linear> joined = Linear::Pack(ctx_, sources);
  ASSERT_TRUE(joined.ok()) << joined.status().ToString();
  EXPECT_EQ(joined->out(), 150);
  EXPECT_EQ(joined->layout(), "q4_k.r16.1[100x512]+q6_k.r16.1[33x512]+f16.r16.1[17x512]");
  EXPECT_EQ(joined->weight_bytes(), joined->packed().size());

  for (const int64_t tokens : {1, 3, 7, 40}) {
    std::vector<float> x = kernels::RandomActivations(static_cast<size_t>(tokens * 512), 5);
    const std::vector<float> all = Apply(*joined, x);
    int64_t row_begin = 0;
    for (const Linear::Source& source : sources) {
      const Result<Linear> one = Linear::Pack(ctx_, {&source, 1});
      const std::vector<float> alone = Apply(*one, x);
      for (int64_t t = 0; t < tokens; ++t) {
        ASSERT_EQ(std::memcmp(all.data() + t * 150 + row_begin, alone.data() + t * one->out(),
                              static_cast<size_t>(one->out()) * sizeof(float)),
                  0);
      }
      row_begin += one->out();
    }
  }
}

TEST_P(LinearRowsTest, IsCloseToTheReferenceTable) {
  const kernels::KernelTable reference = kernels::ReferenceTable();
  Context reference_ctx{pool_, reference};
  for (size_t i = 0; i < kDTypeCount; ++i) {
    const OwnedTensor w("w", static_cast<DType>(i), 48, 512, i);
    const Linear::Source source = {&w.view, nullptr};
    const Result<Linear> linear = Linear::Pack(ctx_, {&source, 1});
    const Result<Linear> wanted_linear = Linear::Pack(reference_ctx, {&source, 1});
    std::vector<float> x = kernels::RandomActivations(5 * 512, 5);
    const std::vector<float> found = Apply(*linear, x, GetParam());
    std::vector<float> wanted(found.size());
    wanted_linear->Apply(reference_ctx, {x.data(), 5, 512, 512}, {wanted.data(), 5, 48, 48}, kAll);
    double error = 0;
    double norm = 0;
    for (size_t j = 0; j < found.size(); ++j) {
      error += std::pow(found[j] - wanted[j], 2);
      norm += std::pow(wanted[j], 2);
    }
    // Rounding to 1/127 of the largest of 32 leaves an error of about 0.3 / 127 of it.
    EXPECT_LT(error, 2e-4 * norm) << Info(static_cast<DType>(i)).name;
  }
}

TEST_P(LinearRowsTest, ATokenHasTheSameBitsAloneInABatchAndInChunks) {
  const OwnedTensor a("a", DType::kQ4_K, 70, 8192, 1);
  const OwnedTensor b("b", DType::kQ8_0, 10, 8192, 1);
  const Linear::Source sources[] = {{&a.view, nullptr}, {&b.view, nullptr}};
  const Result<Linear> linear = Linear::Pack(ctx_, sources);
  constexpr int64_t kTokens = 150;  // more than one block of columns
  std::vector<float> x = kernels::RandomActivations(kTokens * 8192, 5);
  const std::vector<float> all = Apply(*linear, x, GetParam());
  for (int64_t begin = 0, count = 1; begin < kTokens; begin += count, count = count % 37 + 3) {
    count = std::min(count, kTokens - begin);
    std::vector<float> part(x.begin() + begin * 8192, x.begin() + (begin + count) * 8192);
    const std::vector<float> some = Apply(*linear, part, GetParam());
    ASSERT_EQ(std::memcmp(some.data(), all.data() + begin * 80, some.size() * sizeof(float)), 0)
        << begin << " " << count;
  }
}

TEST_P(LinearRowsTest, AccumulatesIntoAStridedOutput) {
  const OwnedTensor w("w", DType::kQ4_1, 20, 64, 1);
  const Linear::Source source = {&w.view, nullptr};
  const Result<Linear> linear = Linear::Pack(ctx_, {&source, 1});
  std::vector<float> x = kernels::RandomActivations(3 * 64, 5);
  const std::vector<float> plain = Apply(*linear, x, GetParam());
  std::vector<float> out(3 * 30, 1.0F);
  const Matrix all = {out.data(), 3, 30, 30};
  linear->Apply(ctx_, {x.data(), 3, 64, 64}, all.Cols(5, 20), GetParam(), true);
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t i = 0; i < 30; ++i) {
      const bool inside = i >= 5 && i < 25;
      const float wanted = inside ? plain[static_cast<size_t>(t * 20 + i - 5)] + 1.0F : 1.0F;
      ASSERT_EQ(out[static_cast<size_t>(t * 30 + i)], wanted);
    }
  }
}

TEST_F(LinearTest, RowsOfBothKindsHaveTheBitsOfTheirKind) {
  const OwnedTensor w("w", DType::kQ6_K, 50, 512, 1);
  const Linear::Source source = {&w.view, nullptr};
  const Result<Linear> linear = Linear::Pack(ctx_, {&source, 1});
  std::vector<float> x = kernels::RandomActivations(30 * 512, 5);
  const std::vector<float> answers = Apply(*linear, x);
  const std::vector<float> prompts = Apply(*linear, x, 0);
  EXPECT_EQ(linear->has_prompt_path(), answers != prompts);
  for (const int64_t begin : {1, 5, 29, 30}) {
    std::vector<float> wanted(answers.begin(), answers.begin() + begin * 50);
    wanted.insert(wanted.end(), prompts.begin() + begin * 50, prompts.end());
    EXPECT_EQ(Apply(*linear, x, begin), wanted);
  }
}

TEST_F(LinearTest, BorrowsARepackedCopy) {
  const OwnedTensor w("w", DType::kQ5_0, 40, 96, 1);
  const Linear::Source source = {&w.view, nullptr};
  const Result<Linear> first = Linear::Pack(ctx_, {&source, 1});
  AlignedBuffer copy(first->packed().size());
  std::memcpy(copy.data(), first->packed().data(), copy.size());
  const Result<Linear> second = Linear::Pack(ctx_, {&source, 1}, copy.span());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->packed().data(), copy.data());
  std::vector<float> x = kernels::RandomActivations(96, 5);
  EXPECT_EQ(Apply(*first, x), Apply(*second, x));
  const Result<Linear> wrong = Linear::Pack(ctx_, {&source, 1}, copy.span().first(64));
  EXPECT_FALSE(wrong.ok());
}

TEST_F(LinearTest, ErrorsNameTheTensor) {
  const OwnedTensor a("blk.0.attn_q.weight", DType::kQ8_0, 8, 64, 1);
  const OwnedTensor b("blk.0.attn_k.weight", DType::kQ8_0, 8, 96, 1);
  const OwnedTensor bias("blk.0.attn_q.bias", DType::kF32, 1, 9, 1);
  const Linear::Source widths[] = {{&a.view, nullptr}, {&b.view, nullptr}};
  EXPECT_EQ(Linear::Pack(ctx_, widths).status().field(), "blk.0.attn_k.weight");
  const Linear::Source biased = {&a.view, &bias.view};
  EXPECT_EQ(Linear::Pack(ctx_, {&biased, 1}).status().field(), "blk.0.attn_q.bias");
  TensorView cut = a.view;
  cut.bytes = cut.bytes.first(100);
  const Linear::Source short_one = {&cut, nullptr};
  EXPECT_EQ(Linear::Pack(ctx_, {&short_one, 1}).status().field(), "blk.0.attn_q.weight");
  TensorView odd = a.view;
  odd.shape[1] = 60;
  const Linear::Source odd_one = {&odd, nullptr};
  EXPECT_EQ(Linear::Pack(ctx_, {&odd_one, 1}).status().message(),
            "rows of type Q8_0 need a multiple of 32 values, found 60");
}

TEST_F(LinearTest, EmbedLooksUpRows) {
  const OwnedTensor table("token_embd.weight", DType::kQ6_K, 20, 256, 1);
  std::vector<float> values(20 * 256);
  kernels::Dequantize(DType::kQ6_K, table.bytes.data(), values.size(), values.data());
  const int32_t tokens[] = {3, 19, 0, 3};
  std::vector<float> out(4 * 256);
  Embed(ctx_, table.view, tokens, {out.data(), 4, 256, 256});
  for (size_t t = 0; t < 4; ++t) {
    EXPECT_EQ(std::memcmp(out.data() + t * 256, values.data() + tokens[t] * 256, 1024), 0);
  }
}

}  // namespace
}  // namespace pingti::ops
