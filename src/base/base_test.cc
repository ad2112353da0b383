#include <atomic>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"

namespace pingti {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return InvalidArgument("odd", "value");
  return value / 2;
}

Result<int> Quarter(int value) {
  PT_ASSIGN(const int half, Half(value));
  return Half(half);
}

TEST(Result, ReturnsValueOrEarlyError) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().field(), "value");
  EXPECT_EQ(Quarter(6).status().ToString(), "InvalidArgument: odd (field: value)");
}

TEST(Json, NamesTheByteAndBoundsDepth) {
  EXPECT_TRUE(ParseJson(R"({"a":[1,2]} )").ok());
  EXPECT_FALSE(ParseJson(R"({"a":1} x)").ok());
  EXPECT_FALSE(ParseJson(R"({"a":)").ok());
  EXPECT_FALSE(ParseJson("\"\xff\"").ok());
  EXPECT_FALSE(ParseJson(std::string(100, '[') + std::string(100, ']')).ok());
}

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, RunsEveryWorkerOnceAndEveryItemOnce) {
  ThreadPool pool({.threads = GetParam()});
  for (int round = 0; round < 200; ++round) {
    std::vector<std::atomic<int>> workers(static_cast<size_t>(pool.size()));
    pool.Run([&](int worker) { ++workers[static_cast<size_t>(worker)]; });
    for (const auto& count : workers) EXPECT_EQ(count.load(), 1);
    std::vector<std::atomic<int>> items(101);
    pool.ForEach(items.size(), 7, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) ++items[i];
    });
    for (const auto& count : items) EXPECT_EQ(count.load(), 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolTest, testing::Values(1, 2, 5));

}  // namespace
}  // namespace pingti
