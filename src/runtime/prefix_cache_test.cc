#include "runtime/prefix_cache.h"

#include <gtest/gtest.h>

#include <numeric>

#include "ops/kv_cache.h"

namespace pingti::runtime {
namespace {

std::vector<int32_t> Tokens(int32_t first) {
  std::vector<int32_t> tokens(ops::kBlockTokens);
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

// Everything holds with good hashes and when all keys collide.
class PrefixCacheTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  PrefixCache cache_{{.blocks = 8, .hash_seed = 3, .hash_mask = GetParam()}};
  const std::vector<int32_t> a_ = Tokens(0);
  const std::vector<int32_t> b_ = Tokens(100);
};

TEST_P(PrefixCacheTest, FindsWhatWasInsertedUnderTheSameParentAndSaltOnly) {
  EXPECT_EQ(cache_.Find({.salt = "", .tokens = a_}), -1);
  EXPECT_EQ(cache_.Insert({.salt = "", .tokens = a_}, 5), 5);
  EXPECT_EQ(cache_.Insert({.parent_block = 5, .salt = "", .tokens = b_}, 2), 2);
  EXPECT_EQ(cache_.Find({.salt = "", .tokens = a_}), 5);
  EXPECT_EQ(cache_.Find({.parent_block = 5, .salt = "", .tokens = b_}), 2);
  EXPECT_EQ(cache_.Find({.salt = "", .tokens = b_}), -1);
  EXPECT_EQ(cache_.Find({.parent_block = 5, .salt = "", .tokens = a_}), -1);
  EXPECT_EQ(cache_.Find({.parent_block = 2, .salt = "", .tokens = b_}), -1);
  EXPECT_EQ(cache_.Find({.salt = "tenant", .tokens = a_}), -1);
}

TEST_P(PrefixCacheTest, SaltsSeparate) {
  EXPECT_EQ(cache_.Insert({.salt = "x", .tokens = a_}, 0), 0);
  EXPECT_EQ(cache_.Insert({.salt = "y", .tokens = a_}, 1), 1);
  EXPECT_EQ(cache_.Insert({.salt = "", .tokens = a_}, 2), 2);
  EXPECT_EQ(cache_.Find({.salt = "x", .tokens = a_}), 0);
  EXPECT_EQ(cache_.Find({.salt = "y", .tokens = a_}), 1);
  EXPECT_EQ(cache_.Find({.salt = "", .tokens = a_}), 2);
  EXPECT_EQ(cache_.Find({.salt = "xy", .tokens = a_}), -1);
}

TEST_P(PrefixCacheTest, ASecondBlockOfTheSameTokensYieldsTheFirst) {
  EXPECT_EQ(cache_.Insert({.salt = "", .tokens = a_}, 5), 5);
  EXPECT_EQ(cache_.Insert({.salt = "", .tokens = a_}, 6), 5);
  EXPECT_FALSE(cache_.Holds(6));
  EXPECT_EQ(cache_.entries(), 1);
}

TEST_P(PrefixCacheTest, ForgottenBlocksAreNotFoundNorTheirOldChildren) {
  EXPECT_EQ(cache_.Insert({.salt = "", .tokens = a_}, 0), 0);
  EXPECT_EQ(cache_.Insert({.parent_block = 0, .salt = "", .tokens = b_}, 1), 1);
  cache_.Forget(0);
  EXPECT_FALSE(cache_.ParentsAreKnown());  // the scheduler never does this
  EXPECT_EQ(cache_.Find({.salt = "", .tokens = a_}), -1);
  // Block 0 holds something else now: the old child does not continue it.
  EXPECT_EQ(cache_.Insert({.salt = "", .tokens = b_}, 0), 0);
  EXPECT_EQ(cache_.Find({.parent_block = 0, .salt = "", .tokens = b_}), -1);
  cache_.Forget(1);
  cache_.Forget(1);
  EXPECT_EQ(cache_.entries(), 1);
}

INSTANTIATE_TEST_SUITE_P(Hashes, PrefixCacheTest,
                         ::testing::Values(~uint64_t{0}, uint64_t{0}, uint64_t{1}));

TEST(PrefixCache, OneTokenMakesTheDifference) {
  PrefixCache cache({.blocks = 64, .hash_mask = 0});
  const std::vector<int32_t> tokens = Tokens(0);
  EXPECT_EQ(cache.Insert({.salt = "", .tokens = tokens}, 0), 0);
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::vector<int32_t> changed = tokens;
    changed[i] += 1;
    EXPECT_EQ(cache.Find({.salt = "", .tokens = changed}), -1);
  }
}

}  // namespace
}  // namespace pingti::runtime
