#include "runtime/block_pool.h"

#include <gtest/gtest.h>

#include <set>

namespace pingti::runtime {
namespace {

TEST(BlockPool, GivesEachBlockOnce) {
  BlockPool pool(3);
  std::set<int32_t> given = {pool.Allocate(), pool.Allocate(), pool.Allocate()};
  EXPECT_EQ(given, (std::set<int32_t>{0, 1, 2}));
  EXPECT_EQ(pool.Allocate(), -1);
  EXPECT_EQ(pool.used_blocks(), 3);
}

TEST(BlockPool, SharedBlocksComeBackWithTheirLastUser) {
  BlockPool pool(2);
  const int32_t block = pool.Allocate();
  pool.Ref(block);
  EXPECT_EQ(pool.references(block), 2);
  pool.Unref(block, false);
  EXPECT_EQ(pool.free_blocks(), 1);
  pool.Unref(block, false);
  EXPECT_EQ(pool.free_blocks(), 2);
}

TEST(BlockPool, UselessBlocksAreTakenFirstThenTheLeastRecentlyFreed) {
  BlockPool pool(4);
  int32_t blocks[4];
  for (int32_t& block : blocks) block = pool.Allocate();
  pool.Unref(blocks[2], true);
  pool.Unref(blocks[0], true);
  pool.Unref(blocks[3], false);
  EXPECT_EQ(pool.kept_blocks(), 2);
  EXPECT_EQ(pool.Allocate(), blocks[3]);
  EXPECT_EQ(pool.Allocate(), blocks[2]);
  EXPECT_EQ(pool.Allocate(), blocks[0]);
  EXPECT_EQ(pool.kept_blocks(), 0);
}

TEST(BlockPool, AFreeBlockMayBeTakenUpAgain) {
  BlockPool pool(2);
  const int32_t block = pool.Allocate();
  pool.Unref(block, true);
  pool.Ref(block);
  EXPECT_EQ(pool.references(block), 1);
  EXPECT_EQ(pool.kept_blocks(), 0);
  EXPECT_NE(pool.Allocate(), block);
  EXPECT_EQ(pool.Allocate(), -1);
}

TEST(BlockPoolDeathTest, ReleasingTooOftenIsOurBug) {
  BlockPool pool(2);
  const int32_t block = pool.Allocate();
  pool.Unref(block, false);
  EXPECT_DEATH(pool.Unref(block, false), "released more often");
  EXPECT_DEATH(pool.Ref(2), "no such block");
}

}  // namespace
}  // namespace pingti::runtime
