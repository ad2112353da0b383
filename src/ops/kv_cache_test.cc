#include "ops/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace pingti::ops {
namespace {

constexpr KvShape kShape{.layers = 3, .kv_heads = 2, .key_dim = 8, .value_dim = 20};

TEST(KvCache, NamesRoundTrip) {
  for (const KvType type : {KvType::kF16, KvType::kBF16, KvType::kQ8}) {
    const auto parsed = ParseKvType(KvTypeName(type));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, type);
  }
  const auto unknown = ParseKvType("q4");
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.status().message().find("q4"), std::string::npos);
}

TEST(KvCache, BlockBytes) {
  // keys 2 heads * 8 * 32, values 2 heads * 32 (20 padded) * 32, in 3 layers
  EXPECT_EQ(KvCache::BlockBytes(kShape, KvType::kF16), 3U * (2 * 8 * 32 + 2 * 32 * 32) * 2);
  EXPECT_EQ(KvCache::BlockBytes(kShape, KvType::kQ8), 3U * (2 * 8 * 32 + 2 * 32 * 32 + 4 * 32 * 4));
}

TEST(KvCache, BlocksAreCopiedReadAndWrittenWhole) {
  const auto cache = KvCache::Create(kShape, KvType::kF16, 4);
  ASSERT_TRUE(cache.ok());
  const size_t bytes = KvCache::BlockBytes(kShape, KvType::kF16);
  std::vector<std::byte> pattern(bytes), read(bytes);
  for (size_t i = 0; i < bytes; ++i) pattern[i] = static_cast<std::byte>(i * 7);
  (*cache)->WriteBlock(1, pattern);
  EXPECT_EQ(*(*cache)->Keys(0, 1), pattern[0]);
  EXPECT_EQ((*cache)->Keys(1, 1) - (*cache)->Keys(0, 1), static_cast<ptrdiff_t>(bytes / 3));
  (*cache)->CopyBlock(1, 3);
  (*cache)->ReadBlock(3, read);
  EXPECT_EQ(read, pattern);
  (*cache)->ReadBlock(2, read);  // untouched
  EXPECT_TRUE(std::all_of(read.begin(), read.end(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST(KvCache, ReservesMoreThanThereIsMemory) {
  const auto cache = KvCache::Create({.layers = 32, .kv_heads = 8, .key_dim = 128, .value_dim = 128}, KvType::kF16, 1 << 20);
  ASSERT_TRUE(cache.ok()) << cache.status().ToString();
  (*cache)->Values(31, (1 << 20) - 1)[0] = std::byte{1};
}

TEST(KvCache, BadShapesAreErrors) {
  EXPECT_FALSE(KvCache::Create(kShape, KvType::kF16, 0).ok());
  EXPECT_FALSE(KvCache::Create({.layers = 1, .kv_heads = 0, .key_dim = 8, .value_dim = 8}, KvType::kF16, 1).ok());
  const auto huge = KvCache::Create({.layers = 65536, .kv_heads = 65536, .key_dim = 65536, .value_dim = 65536},
                                    KvType::kF16, INT32_MAX);
  ASSERT_FALSE(huge.ok());
  EXPECT_EQ(huge.status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace pingti::ops
