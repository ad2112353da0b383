#include "runtime/distribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace pingti::runtime {
namespace {

std::vector<float> RandomRow(size_t size, unsigned seed, bool with_ties) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 4);
  std::vector<float> row(size);
  for (float& logit : row) logit = with_ties ? std::round(normal(random)) : normal(random);
  return row;
}

std::vector<Candidate> Sorted(const std::vector<float>& row) {
  std::vector<Candidate> all;
  for (size_t i = 0; i < row.size(); ++i) all.push_back({static_cast<int32_t>(i), row[i]});
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  });
  return all;
}

TEST(FastExp, IsCloseToExp) {
  for (double x = 0; x > -87; x -= 0.00317) {
    const auto argument = static_cast<float>(x);
    const double expected = std::exp(static_cast<double>(argument));
    EXPECT_NEAR(static_cast<double>(FastExp(argument)) / expected, 1.0, 5e-7) << x;
  }
  EXPECT_EQ(FastExp(0.0F), 1.0F);
  EXPECT_EQ(FastExp(-88.0F), 0.0F);
  EXPECT_EQ(FastExp(-std::numeric_limits<float>::infinity()), 0.0F);
}

TEST(LogSumExp, EqualsThePlainSum) {
  for (const size_t size :
       {size_t{1}, size_t{15}, size_t{16}, size_t{1000}, size_t{1024}, size_t{49153}}) {
    const std::vector<float> row = RandomRow(size, static_cast<unsigned>(size), false);
    double sum = 0;
    for (const float logit : row) sum += std::exp(static_cast<double>(logit));
    EXPECT_NEAR(LogSumExp(row, *std::max_element(row.begin(), row.end())), std::log(sum), 1e-5)
        << size;
  }
}

TEST(Ranking, TopAndAtLeastEqualASort) {
  for (const bool ties : {false, true}) {
    for (const size_t size :
         {size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{1000}, size_t{20000}}) {
      const std::vector<float> row = RandomRow(size, static_cast<unsigned>(size), ties);
      const std::vector<Candidate> all = Sorted(row);
      Ranking ranking;
      for (const int32_t count : {1, 3, 40, 400, 1000000}) {
        ranking.Reset(row);
        EXPECT_EQ(ranking.best(), all[0].token);
        const size_t wanted = std::min(size, static_cast<size_t>(count));
        const std::span<const Candidate> top = ranking.Top(count);
        ASSERT_GE(top.size(), wanted);
        for (size_t i = 0; i < top.size(); ++i) ASSERT_EQ(top[i].token, all[i].token);
        const float threshold = all[wanted - 1].logit;
        const std::span<const Candidate> above = ranking.AtLeast(threshold);
        ASSERT_GE(above.size(), wanted);
        EXPECT_EQ(above.back().logit, threshold);
        for (size_t i = 0; i < above.size(); ++i) ASSERT_EQ(above[i].token, all[i].token);
      }
    }
  }
}

TEST(Ranking, GrowsWithoutReset) {
  const std::vector<float> row = RandomRow(10000, 5, false);
  const std::vector<Candidate> all = Sorted(row);
  Ranking ranking;
  ranking.Reset(row);
  for (const int32_t count : {5, 50, 5000, 10000}) {
    const std::span<const Candidate> top = ranking.Top(count);
    ASSERT_GE(top.size(), static_cast<size_t>(count));
    for (size_t i = 0; i < top.size(); ++i) ASSERT_EQ(top[i].token, all[i].token);
  }
}

TEST(Ranking, NotANumberIsNeverTheBest) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Ranking ranking;
  std::vector<float> row(100, kNan);
  ranking.Reset(row);
  EXPECT_EQ(ranking.best(), -1);
  row[37] = -5;
  ranking.Reset(row);
  EXPECT_EQ(ranking.best(), 37);
  row.assign(100, -kInfinity);
  ranking.Reset(row);
  EXPECT_EQ(ranking.best(), -1);
}

}  // namespace
}  // namespace pingti::runtime
