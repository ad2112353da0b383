#include <gtest/gtest.h>

#include <cstdlib>

#include "kernels/table.h"

namespace pingti::kernels {
namespace {

TEST(Dispatch, NamesRoundTrip) {
  for (int i = 0; i < kIsaLevelCount; ++i) {
    const auto level = static_cast<IsaLevel>(i);
    const Result<IsaLevel> parsed = ParseIsaLevel(IsaLevelName(level));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed.value(), level);
  }
}

TEST(Dispatch, UnknownNameListsTheKnownOnes) {
  const Result<IsaLevel> parsed = ParseIsaLevel("avx1024");
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(parsed.status().message().find("avx1024"), std::string::npos);
  EXPECT_NE(parsed.status().message().find("avx512_vnni"), std::string::npos);
}

TEST(Dispatch, EveryLevelOfTheCpuMakesATable) {
  EXPECT_TRUE(CpuHas(IsaLevel::kScalar));
  for (int i = 0; i < kIsaLevelCount; ++i) {
    const auto level = static_cast<IsaLevel>(i);
    if (CpuHas(level)) EXPECT_EQ(MakeTable(level).level, level);
  }
}

TEST(Dispatch, HigherAvx512LevelsImplyTheLowerOnes) {
  if (CpuHas(IsaLevel::kAmxBf16)) EXPECT_TRUE(CpuHas(IsaLevel::kAvx512Bf16));
  if (CpuHas(IsaLevel::kAvx512Bf16)) EXPECT_TRUE(CpuHas(IsaLevel::kAvx512Vnni));
  if (CpuHas(IsaLevel::kAvx512Vnni)) EXPECT_TRUE(CpuHas(IsaLevel::kAvx512));
  if (CpuHas(IsaLevel::kAvx512)) EXPECT_TRUE(CpuHas(IsaLevel::kAvx2));
}

// The process's table is made once, so each environment is looked at in a process of its own.
void ExitWithLevelOf(const char* isa) {
  ::setenv("PINGTI_ISA", isa, 1);
  const Result<const KernelTable*> table = ProcessTable();
  std::exit(table.ok() ? static_cast<int>((*table)->level) : 99);
}

TEST(DispatchDeathTest, EnvironmentSelectsTheTable) {
  for (int i = 0; i < kIsaLevelCount; ++i) {
    const auto level = static_cast<IsaLevel>(i);
    const int expected = CpuHas(level) ? i : 99;
    EXPECT_EXIT(ExitWithLevelOf(std::string(IsaLevelName(level)).c_str()),
                ::testing::ExitedWithCode(expected), "");
  }
  EXPECT_EXIT(ExitWithLevelOf("nonsense"), ::testing::ExitedWithCode(99), "");
}

}  // namespace
}  // namespace pingti::kernels
