#include "ops/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tensor/float16.h"

namespace pingti::ops {
namespace {

class ElementwiseTest : public ::testing::Test {
 protected:
  ThreadPool pool_{{.threads = 2}};
  const kernels::KernelTable table_ = kernels::MakeTable(kernels::IsaLevel::kScalar);
  Context ctx_{pool_, table_};
};

Matrix Of(std::vector<float>& data, int64_t rows, int64_t cols, int64_t stride) {
  return {data.data(), rows, cols, stride};
}

TensorView Tensor(DType type, int64_t n, const std::vector<std::byte>& bytes) {
  TensorView tensor{.name = "blk.0.attn_norm.weight", .type = type, .dims = 1, .shape = {n, 1, 1, 1}, .bytes = bytes};
  return tensor;
}

TEST(ReadVector, TakesTheThreeFloats) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    std::vector<std::byte> bytes(RowBytes(type, 2));
    const float values[] = {1.5F, -2.0F};
    const uint16_t halves[] = {type == DType::kF16 ? F32ToF16(1.5F) : F32ToBf16(1.5F),
                               type == DType::kF16 ? F32ToF16(-2.0F) : F32ToBf16(-2.0F)};
    std::memcpy(bytes.data(), type == DType::kF32 ? static_cast<const void*>(values) : halves, bytes.size());
    const auto read = ReadVector(Tensor(type, 2, bytes));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, (std::vector<float>{1.5F, -2.0F}));
  }
}

TEST(ReadVector, NamesTheTensorThatIsWrong) {
  const std::vector<std::byte> bytes(7);
  const auto quantised = ReadVector(Tensor(DType::kQ4_0, 32, bytes));
  ASSERT_FALSE(quantised.ok());
  EXPECT_NE(quantised.status().message().find("blk.0.attn_norm.weight"), std::string::npos);
  EXPECT_NE(quantised.status().message().find("Q4_0"), std::string::npos);
  const auto truncated = ReadVector(Tensor(DType::kF32, 2, bytes));
  ASSERT_FALSE(truncated.ok());
  EXPECT_EQ(truncated.status().code(), StatusCode::kDataLoss);
}

TEST_F(ElementwiseTest, RowsKeepTheirStride) {
  std::vector<float> x = {3, 4, -1, 0, 5, -1}, out(6, 7.0F);
  RmsNorm(ctx_, Of(x, 2, 2, 3), std::vector<float>{1, 2}, 0, Of(out, 2, 2, 3));
  EXPECT_NEAR(out[0], 3 / std::sqrt(12.5), 1e-6);
  EXPECT_NEAR(out[1], 8 / std::sqrt(12.5), 1e-6);
  EXPECT_EQ(out[2], 7);
  EXPECT_NEAR(out[4], 2 * std::sqrt(2.0), 1e-6);
}

TEST_F(ElementwiseTest, ManyRowsEqualSingleRows) {
  constexpr int64_t kRows = 200, kCols = 512;
  std::vector<float> gate(kRows * kCols), up(gate.size()), many(gate.size()), single(gate.size());
  for (size_t i = 0; i < gate.size(); ++i) {
    gate[i] = std::sin(static_cast<float>(i));
    up[i] = std::cos(static_cast<float>(i));
  }
  SiluMul(ctx_, Of(gate, kRows, kCols, kCols), Of(up, kRows, kCols, kCols), Of(many, kRows, kCols, kCols));
  for (int64_t row = 0; row < kRows; ++row) {
    SiluMul(ctx_, Of(gate, kRows, kCols, kCols).Rows(row, 1), Of(up, kRows, kCols, kCols).Rows(row, 1),
            Of(single, kRows, kCols, kCols).Rows(row, 1));
  }
  EXPECT_EQ(std::memcmp(many.data(), single.data(), many.size() * sizeof(float)), 0);
}

TEST_F(ElementwiseTest, GatherRows) {
  std::vector<float> x = {1, 2, 3, 4, 5, 6}, out(4);
  GatherRows(ctx_, Of(x, 3, 2, 2), std::vector<int32_t>{2, 0}, Of(out, 2, 2, 2));
  EXPECT_EQ(out, (std::vector<float>{5, 6, 1, 2}));
  GatherRows(ctx_, Of(x, 3, 2, 2), std::vector<int32_t>{0, 2}, Of(x, 2, 2, 2));
  EXPECT_EQ(x, (std::vector<float>{1, 2, 5, 6, 5, 6})) << "in place";
}

TEST_F(ElementwiseTest, RopeRotatesItsPairsOnly) {
  for (const RopePairs pairs : {RopePairs::kInterleaved, RopePairs::kHalves}) {
    const RopeSpec rope = MakeRope({.pairs = pairs, .rotary_dim = 4, .base = 100});
    std::vector<float> x = {1, 2, 3, 4, 5, 6, /* head 1 */ 1, 2, 3, 4, 5, 6, /* not rotated */ 9};
    const std::vector<int32_t> positions = {7};
    Rope(ctx_, rope, positions, 2, 6, Of(x, 1, 13, 13));
    const size_t second = pairs == RopePairs::kHalves ? 2 : 1;  // the partner of x[0]
    const double a = pairs == RopePairs::kHalves ? 3 : 2;
    for (const size_t head : {0, 6}) {
      EXPECT_NEAR(x[head], std::cos(7.0) - a * std::sin(7.0), 1e-5);
      EXPECT_NEAR(x[head + second], a * std::cos(7.0) + std::sin(7.0), 1e-5);
      EXPECT_EQ(x[head + 4], 5);
      EXPECT_EQ(x[head + 5], 6);
    }
    EXPECT_NEAR(x[3], pairs == RopePairs::kHalves ? 4 * std::cos(0.7) + 2 * std::sin(0.7)
                                                  : 4 * std::cos(0.7) + 3 * std::sin(0.7), 1e-5);
    EXPECT_EQ(x[12], 9);
  }
}

TEST_F(ElementwiseTest, RopeFollowsPositionsAndSpec) {
  const RopeSpec first = MakeRope({.rotary_dim = 2, .base = 10});
  const RopeSpec second = MakeRope({.rotary_dim = 2, .base = 10, .scaling = RopeScaling::kLinear, .factor = 2});
  for (const int32_t position : {0, 3, 100000}) {
    const std::vector<int32_t> positions = {position};
    std::vector<float> x = {1, 0}, y = {1, 0};
    Rope(ctx_, first, positions, 1, 2, Of(x, 1, 2, 2));
    Rope(ctx_, second, positions, 1, 2, Of(y, 1, 2, 2));
    EXPECT_NEAR(x[0], std::cos(position), 1e-6);
    EXPECT_NEAR(y[0], std::cos(position / 2.0), 1e-6);
  }
}

TEST(MakeRope, FrequencyFactorsDivide) {
  const RopeSpec rope = MakeRope({.rotary_dim = 4, .base = 10000, .frequency_factors = {1, 8}});
  EXPECT_FLOAT_EQ(rope.inverse_frequency[0], 1);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[1], 0.01F / 8);
  EXPECT_EQ(rope.magnitude, 1);
}

// Values of transformers' _compute_yarn_parameters for dim 128, base 1e6, factor 4, original context 32768.
TEST(MakeRope, YarnMixesFrequencies) {
  const RopeOptions options{.rotary_dim = 128, .base = 1e6, .scaling = RopeScaling::kYarn, .factor = 4,
                            .original_context = 32768};
  const RopeSpec rope = MakeRope(options);
  const auto plain = [](int i) { return std::pow(1e6, -i / 64.0); };
  // low = floor(64 ln(32768 / 64 pi) / ln 1e6) = 23, high = ceil(64 ln(32768 / 2 pi) / ln 1e6) = 40
  EXPECT_FLOAT_EQ(rope.inverse_frequency[0], 1);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[23], static_cast<float>(plain(23)));
  const double ramp = (30.0 - 23) / (40 - 23);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[30], static_cast<float>(plain(30) * (1 - ramp) + plain(30) / 4 * ramp));
  EXPECT_FLOAT_EQ(rope.inverse_frequency[40], static_cast<float>(plain(40) / 4));
  EXPECT_FLOAT_EQ(rope.inverse_frequency[63], static_cast<float>(plain(63) / 4));
  EXPECT_FLOAT_EQ(rope.magnitude, static_cast<float>(1 + 0.1 * std::log(4.0)));
}

}  // namespace
}  // namespace pingti::ops
