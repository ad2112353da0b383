#include "kernels/self_check.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace pingti::kernels {
namespace {

TEST(SelfTest, EveryTableOfThisMachinePasses) {
  for (int i = 0; i < kIsaLevelCount; ++i) {
    const auto level = static_cast<IsaLevel>(i);
    if (!CpuHas(level)) continue;
    for (const SelfTestResult& result : SelfTest(MakeTable(level))) {
      EXPECT_TRUE(result.ok()) << IsaLevelName(level) << " " << result.kernel << ": " << result.error << " > "
                               << result.bound;
    }
  }
}

TEST(SelfTest, TheReferenceAgreesWithItself) {
  for (const SelfTestResult& result : SelfTest(ReferenceTable())) EXPECT_EQ(result.error, 0) << result.kernel;
}

TEST(SelfTest, AWrongKernelIsNamed) {
  KernelTable table = MakeTable(IsaLevel::kScalar);
  table.vector.silu_mul = [](const float* gate, const float* up, int64_t n, float* out) noexcept {
    for (int64_t i = 0; i < n; ++i) out[i] = gate[i] * up[i];
  };
  for (const SelfTestResult& result : SelfTest(table)) {
    EXPECT_EQ(result.ok(), result.kernel != "silu_mul") << result.kernel;
  }
}

}  // namespace
}  // namespace pingti::kernels
