#include "kernels/probe.h"

#include <gtest/gtest.h>

#include "kernels/table.h"

namespace pingti::kernels {
namespace {

TEST(ProbeTest, EveryTableHasOneAndItTerminates) {
  for (int i = 0; i < kIsaLevelCount; ++i) {
    const auto level = static_cast<IsaLevel>(i);
    if (!CpuHas(level)) continue;
    const ProbeKernels probe = MakeTable(level).probe;
    ASSERT_NE(probe.multiply_add_f32, nullptr) << IsaLevelName(level);
    // x -> x / 2 + 1 / 4 ends at 1 / 2 in every lane.
    EXPECT_FLOAT_EQ(probe.multiply_add_f32(100), static_cast<float>(probe.f32_flops_per_round / 2) * 0.5F);
    if (probe.dot_i8 != nullptr) {
      EXPECT_EQ(probe.dot_i8(2) - probe.dot_i8(1), probe.dot_i8(3) - probe.dot_i8(2)) << "each round adds the same";
      EXPECT_LT(probe.dot_i8(2), probe.dot_i8(1));
      EXPECT_GT(probe.i8_ops_per_round, 0);
    }
    EXPECT_EQ(probe.dot_bf16 != nullptr, level >= IsaLevel::kAvx512Bf16);
    if (probe.dot_bf16 != nullptr) {
      // Every product is -1.
      const double products = static_cast<double>(probe.bf16_flops_per_round) / 2;
      EXPECT_EQ(probe.dot_bf16(3) - probe.dot_bf16(2), -products);
    }
  }
}

}  // namespace
}  // namespace pingti::kernels
