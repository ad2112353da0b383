// The cuts against plain versions that sort the whole distribution and compute in double.
#include "runtime/filters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

namespace pingti::runtime {
namespace {

// Token -> probability, after all cuts; the definition of correct.
using Distribution = std::map<int32_t, double>;

struct Item {
  int32_t token;
  double p;
};

void Normalise(std::vector<Item>& items) {
  double sum = 0;
  for (const Item& item : items) sum += item.p;
  for (Item& item : items) item.p /= sum;
}

void SlowTypical(std::vector<Item>& items, double typical_p) {
  double entropy = 0;
  for (const Item& item : items) entropy -= item.p > 0 ? item.p * std::log(item.p) : 0;
  std::vector<Item> by_distance = items;
  std::sort(by_distance.begin(), by_distance.end(), [entropy](const Item& a, const Item& b) {
    return std::abs(-std::log(a.p) - entropy) < std::abs(-std::log(b.p) - entropy);
  });
  double mass = 0;
  std::vector<Item> kept;
  for (const Item& item : by_distance) {
    if (!kept.empty() && mass >= typical_p) break;
    kept.push_back(item);
    mass += item.p;
  }
  std::sort(kept.begin(), kept.end(), [](const Item& a, const Item& b) {
    return a.p != b.p ? a.p > b.p : a.token < b.token;
  });
  items = kept;
}

std::vector<Item> SlowSoftmax(const SamplingParams& params, const std::vector<float>& row) {
  std::vector<Item> items;
  double sum = 0;
  double squares = 0;
  const double max = static_cast<double>(*std::max_element(row.begin(), row.end()));
  for (size_t i = 0; i < row.size(); ++i) {
    const auto logit = static_cast<double>(row[i]);
    sum += logit;
    squares += logit * logit;
    items.push_back({static_cast<int32_t>(i),
                     std::exp((logit - max) / static_cast<double>(params.temperature))});
  }
  const double mean = sum / static_cast<double>(row.size());
  const double sigma = std::sqrt(squares / static_cast<double>(row.size()) - mean * mean);
  if (params.top_n_sigma > 0) {
    const double least = max - static_cast<double>(params.top_n_sigma) * sigma;
    std::erase_if(items, [&](const Item& item) {
      return static_cast<double>(row[static_cast<size_t>(item.token)]) < least;
    });
  }
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.p != b.p ? a.p > b.p : a.token < b.token;
  });
  return items;
}

Distribution Slow(const SamplingParams& params, const std::vector<float>& row, double xtc_draw) {
  std::vector<Item> items = SlowSoftmax(params, row);
  if (params.top_k > 0 && items.size() > static_cast<size_t>(params.top_k))
    items.resize(static_cast<size_t>(params.top_k));
  Normalise(items);
  if (params.typical_p < 1) SlowTypical(items, static_cast<double>(params.typical_p));
  Normalise(items);
  if (params.top_p < 1) {
    double mass = 0;
    size_t count = 0;
    while (count < items.size() && mass < static_cast<double>(params.top_p))
      mass += items[count++].p;
    items.resize(count);
  }
  Normalise(items);
  const double best = items.front().p;
  std::erase_if(
      items, [&](const Item& item) { return item.p < best * static_cast<double>(params.min_p); });
  Normalise(items);
  if (xtc_draw < static_cast<double>(params.xtc_probability) && params.xtc_threshold <= 0.5F) {
    size_t above = 0;
    while (above < items.size() && items[above].p >= static_cast<double>(params.xtc_threshold))
      ++above;
    if (above >= 2) items.erase(items.begin(), items.begin() + static_cast<ptrdiff_t>(above - 1));
  }
  Normalise(items);
  Distribution distribution;
  for (const Item& item : items) distribution[item.token] = item.p;
  return distribution;
}

Distribution Fast(const SamplingParams& params, const std::vector<float>& row, double xtc_draw) {
  Ranking ranking;
  ranking.Reset(row);
  Kept kept;
  CutDistribution(params, xtc_draw, ranking, kept);
  if (kept.all) {
    kept.candidates.assign(ranking.Top(ranking.size()).begin(), ranking.Top(ranking.size()).end());
    for (const Candidate& c : kept.candidates)
      kept.weights.push_back(FastExp((c.logit - ranking.max()) / params.temperature));
  }
  double sum = 0;
  for (const float weight : kept.weights) sum += static_cast<double>(weight);
  Distribution distribution;
  for (size_t i = 0; i < kept.candidates.size(); ++i) {
    distribution[kept.candidates[i].token] = static_cast<double>(kept.weights[i]) / sum;
  }
  return distribution;
}

std::vector<float> RandomRow(size_t size, unsigned seed, float spread) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> row(size);
  for (float& logit : row) logit = normal(random);
  return row;
}

// A cut exactly at the border may fall one token to either side: probabilities are rounded
// differently.
void ExpectAlmostEqual(const Distribution& fast, const Distribution& slow) {
  double distance = 0;
  for (const auto& [token, p] : slow)
    distance += std::abs(p - (fast.contains(token) ? fast.at(token) : 0));
  for (const auto& [token, p] : fast) distance += slow.contains(token) ? 0 : p;
  EXPECT_LT(distance, 2e-4);
  EXPECT_LE(std::abs(static_cast<int64_t>(fast.size()) - static_cast<int64_t>(slow.size())), 1);
}

TEST(Filters, EachAndAllEqualThePlainVersion) {
  std::mt19937 random(3);
  const auto maybe = [&random](float off, std::initializer_list<float> values) {
    return random() % 2 == 0 ? off : *(values.begin() + random() % values.size());
  };
  for (unsigned round = 0; round < 400; ++round) {
    SamplingParams params;
    params.temperature = maybe(1.0F, {0.2F, 0.7F, 2.0F});
    params.top_k = static_cast<int32_t>(maybe(0, {1, 5, 40, 700}));
    params.top_p = maybe(1.0F, {0.1F, 0.9F, 0.999F});
    params.min_p = maybe(0.0F, {0.01F, 0.2F, 1.0F});
    params.typical_p = maybe(1.0F, {0.2F, 0.9F});
    params.top_n_sigma = maybe(-1.0F, {0.5F, 2.0F});
    params.xtc_probability = maybe(0.0F, {0.5F, 1.0F});
    params.xtc_threshold = maybe(0.1F, {0.02F, 0.6F});
    const std::vector<float> row =
        RandomRow(1 + random() % 3000, round, random() % 2 == 0 ? 1.0F : 5.0F);
    const double draw = static_cast<double>(random() % 100) / 100;
    SCOPED_TRACE("round " + std::to_string(round));
    ExpectAlmostEqual(Fast(params, row, draw), Slow(params, row, draw));
  }
}

TEST(Filters, TopPKeepsAtLeastItsMassAndNoMoreThanNeeded) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const std::vector<float> row = RandomRow(5000, seed, seed % 2 == 0 ? 0.5F : 4.0F);
    SamplingParams all;
    const Distribution whole = Slow(all, row, 1);
    SamplingParams params;
    params.top_p = 0.8F;
    double mass = 0;
    double least = 1;
    for (const auto& [token, p] : Fast(params, row, 1)) {
      mass += whole.at(token);
      least = std::min(least, whole.at(token));
    }
    EXPECT_GE(mass, 0.8 - 1e-6);
    EXPECT_LT(mass - least, 0.8 + 1e-6);
  }
}

TEST(Filters, EntropyFallsWithTemperature) {
  const std::vector<float> row = RandomRow(2000, 1, 3.0F);
  double previous = 1e9;
  for (const float temperature : {2.0F, 1.5F, 1.0F, 0.7F, 0.3F, 0.1F}) {
    SamplingParams params;
    params.temperature = temperature;
    params.top_p = 0.9999F;
    double entropy = 0;
    for (const auto& [token, p] : Fast(params, row, 1)) entropy -= p > 0 ? p * std::log(p) : 0;
    EXPECT_LT(entropy, previous);
    previous = entropy;
  }
}

TEST(Filters, VeryLowTemperaturesAreGreedy) {
  std::vector<float> row = RandomRow(100, 2, 3.0F);
  row[42] = 20;
  SamplingParams params;
  params.temperature = 1e-6F;
  params.top_p = 0.5F;
  const Distribution kept = Fast(params, row, 1);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept.begin()->first, 42);
}

TEST(Draw, FollowsTheWeights) {
  const std::vector<float> weights = {0.0F, 1.0F, 0.0F, 3.0F, 0.0F};
  EXPECT_EQ(DrawIndex(weights, 0.0), 1U);
  EXPECT_EQ(DrawIndex(weights, 0.2499), 1U);
  EXPECT_EQ(DrawIndex(weights, 0.2501), 3U);
  EXPECT_EQ(DrawIndex(weights, 0.999999999), 3U);
}

TEST(Draw, FromTheRowEqualsTheCumulativeDistribution) {
  const std::vector<float> row = RandomRow(5000, 8, 3.0F);
  const float max = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float logit : row) sum += std::exp(static_cast<double>(logit - max) * 0.5);
  for (double draw = 0.0005; draw < 1; draw += 0.0037) {
    const int32_t token = DrawFromRow(row, max, 0.5F, draw);
    double below = 0;
    for (int32_t i = 0; i < token; ++i)
      below += std::exp(static_cast<double>(row[static_cast<size_t>(i)] - max) * 0.5);
    const double own = std::exp(static_cast<double>(row[static_cast<size_t>(token)] - max) * 0.5);
    EXPECT_LE(below / sum, draw + 1e-6);
    EXPECT_GE((below + own) / sum, draw - 1e-6);
  }
}

}  // namespace
}  // namespace pingti::runtime
