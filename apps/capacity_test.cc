#include "capacity.h"

#include <gtest/gtest.h>

#include <string>

namespace pingti::apps {
namespace {

constexpr uint64_t kGib = uint64_t{1} << 30;
constexpr int64_t kTokens = 32768;  // 16 users of 2,048

const ModelSize& Size(const std::string& name) {
  for (const ModelSize& size : ModelSizes()) {
    if (size.name == name) return size;
  }
  ADD_FAILURE() << name;
  return ModelSizes().front();
}
const WeightFormat& Format(const std::string& name) {
  for (const WeightFormat& format : WeightFormats()) {
    if (format.name == name) return format;
  }
  ADD_FAILURE() << name;
  return WeightFormats().front();
}

TEST(Capacity, FourBitWeightsOf14BAndTheirKvFitInto24Gigabytes) {
  const Demand four_bit = DemandOf(Size("14B"), Format("Q4_K_M"), ops::KvType::kF16, kTokens);
  // 14.8e9 parameters x 4.85 bits; 48 layers x 8 heads x 128 x (key + value) x 2 bytes a token.
  EXPECT_EQ(four_bit.weight_bytes, 8972500000U);
  EXPECT_EQ(four_bit.kv_bytes, uint64_t{48} * 8 * 128 * 2 * 2 * kTokens);
  EXPECT_TRUE(Fits(four_bit, 24 * kGib));
  const Demand full = DemandOf(Size("14B"), Format("F16"), ops::KvType::kF16, 0);
  EXPECT_EQ(full.weight_bytes, 29600000000U);
  EXPECT_FALSE(Fits(full, 24 * kGib)) << "not even without KV";
}

TEST(Capacity, SmallerKvTakesLess) {
  const auto bytes = [](ops::KvType type) {
    return DemandOf(Size("7B"), Format("Q8_0"), type, kTokens).kv_bytes;
  };
  EXPECT_EQ(bytes(ops::KvType::kF16), bytes(ops::KvType::kBF16));
  EXPECT_LT(bytes(ops::KvType::kQ8), bytes(ops::KvType::kF16) * 6 / 10);
}

TEST(Capacity, LargestGrowsWithTheMemory) {
  const auto largest = [](uint64_t bytes) {
    const ModelSize* size = LargestThatFits(Format("Q4_K_M"), ops::KvType::kF16, kTokens, bytes);
    return std::string(size == nullptr ? "none" : size->name);
  };
  EXPECT_EQ(largest(0), "none");
  EXPECT_EQ(largest(1 * kGib), "0.5B");
  EXPECT_EQ(largest(8 * kGib), "7B");
  EXPECT_EQ(largest(24 * kGib), "14B");
  EXPECT_EQ(largest(1024 * kGib), "70B");
}

}  // namespace
}  // namespace pingti::apps
