#include "runtime/batch_limit.h"

#include <gtest/gtest.h>

namespace pingti::runtime {
namespace {

constexpr int64_t kMib = 1 << 20;

TEST(AdjustBatchSize, Table) {
  struct Case {
    int64_t pending;
    int64_t memory_mb;
    int64_t expected;
  };
  const Case cases[] = {
      {25, 24576, 11},      {0, 24576, 4}, {9, 24576, 4},  {10, 24576, 8},
      {1000, 1 << 20, 404}, {0, 4096, 1},  {0, 4095, 1},   {25, 2048, 1},
      {25, 0, 1},           {25, -5, 1},   {-7, 24576, 4}, {25, 6144, 2},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(
        AdjustBatchSize({.pending_requests = one.pending, .memory_bytes = one.memory_mb * kMib}),
        one.expected)
        << one.pending << " pending, " << one.memory_mb << " MB";
  }
}

TEST(AdjustBatchSize, FollowsItsOptions) {
  const BatchLimitOptions options{
      .base_size = 16, .memory_per_sample_bytes = 100, .reserve_bytes = 0};
  EXPECT_EQ(AdjustBatchSize({.pending_requests = 0, .memory_bytes = 5000}, options), 16);
  EXPECT_EQ(AdjustBatchSize({.pending_requests = 30, .memory_bytes = 5000}, options), 50);
  EXPECT_EQ(AdjustBatchSize({.pending_requests = 0, .memory_bytes = int64_t{1} << 40},
                            {.base_size = 0, .memory_per_sample_bytes = 0}),
            1);
}

}  // namespace
}  // namespace pingti::runtime
