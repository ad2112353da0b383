#include "runtime/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "runtime/random.h"

namespace pingti::runtime {
namespace {

constexpr int32_t kVocab = 50;

std::vector<float> Row(unsigned seed, size_t size = kVocab) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> row(size);
  for (float& logit : row) logit = normal(random);
  return row;
}

// Draws `count` tokens, each from the same row.
std::vector<int32_t> DrawMany(const SamplingParams& params, const std::vector<float>& row,
                              int32_t count, uint64_t seed = 1, int32_t choice = 0) {
  Sampler sampler({.params = params, .seed = seed, .choice = choice, .end_tokens = {3}});
  SamplerScratch scratch;
  std::vector<int32_t> history;
  for (int32_t i = 0; i < count; ++i) {
    history.push_back(sampler.Sample(row, history, scratch).token);
    sampler.Accept(history.back());
  }
  return history;
}

TEST(Random, IsUniformAndIndependentOfOrder) {
  constexpr int kBins = 20;
  constexpr int kDraws = 40000;
  std::vector<int> bins(kBins, 0);
  for (int32_t i = 0; i < kDraws; ++i) {
    const double draw = UniformAt({.seed = 9, .choice = i % 3, .position = i / 3}, 0);
    ASSERT_GE(draw, 0.0);
    ASSERT_LT(draw, 1.0);
    ++bins[static_cast<size_t>(draw * kBins)];
  }
  double chi_square = 0;
  for (const int count : bins) chi_square += std::pow(count - kDraws / kBins, 2) / (kDraws / kBins);
  EXPECT_LT(chi_square, 43.8);  // 19 degrees of freedom, p = 0.001
  EXPECT_NE(UniformAt({.seed = 9}, 0), UniformAt({.seed = 9}, 1));
  EXPECT_NE(UniformAt({.seed = 9}, 0), UniformAt({.seed = 10}, 0));
}

TEST(Sampler, FrequenciesAreTheDistributions) {
  const std::vector<float> row = Row(4);
  for (const float top_p : {1.0F, 0.9F}) {
    SamplingParams params;
    params.temperature = 1.3F;
    params.top_p = top_p;
    Ranking ranking;
    ranking.Reset(row);
    Kept kept;
    CutDistribution(params, 1, ranking, kept);
    if (kept.all) {
      for (const Candidate& c : ranking.Top(kVocab)) kept.candidates.push_back(c);
      for (const Candidate& c : kept.candidates)
        kept.weights.push_back(std::exp(c.logit / params.temperature));
    }
    double sum = 0;
    for (const float weight : kept.weights) sum += static_cast<double>(weight);
    constexpr int32_t kDraws = 20000;
    std::vector<int> counts(kVocab, 0);
    for (const int32_t token : DrawMany(params, row, kDraws)) ++counts[static_cast<size_t>(token)];
    double chi_square = 0;
    int seen = 0;
    for (size_t i = 0; i < kept.candidates.size(); ++i) {
      const double expected = static_cast<double>(kept.weights[i]) / sum * kDraws;
      const int count = counts[static_cast<size_t>(kept.candidates[i].token)];
      seen += count;
      chi_square += std::pow(count - expected, 2) / expected;
    }
    EXPECT_EQ(seen, kDraws) << "nothing outside the kept set";
    EXPECT_LT(chi_square, 90.0);  // 49 degrees of freedom: p = 0.0003
  }
}

TEST(Sampler, GreedyIsTheBestToken) {
  SamplingParams params;
  params.temperature = 0;
  std::vector<float> row = Row(1);
  row[17] = 50;
  EXPECT_EQ(DrawMany(params, row, 3), (std::vector<int32_t>{17, 17, 17}));
}

TEST(Sampler, SeedAndChoiceDecide) {
  const SamplingParams params;
  const std::vector<float> row = Row(2);
  EXPECT_EQ(DrawMany(params, row, 50, 7, 0), DrawMany(params, row, 50, 7, 0));
  EXPECT_NE(DrawMany(params, row, 50, 7, 0), DrawMany(params, row, 50, 7, 1));
  EXPECT_NE(DrawMany(params, row, 50, 7, 0), DrawMany(params, row, 50, 8, 0));
}

TEST(Sampler, RepetitionPenaltyRaisesVariety) {
  std::vector<float> row = Row(3);
  const auto distinct = [&row](float penalty) {
    SamplingParams params;
    params.temperature = 0.5F;
    params.repetition_penalty = penalty;
    const std::vector<int32_t> drawn = DrawMany(params, row, 40);
    return std::set<int32_t>(drawn.begin(), drawn.end()).size();
  };
  EXPECT_LT(distinct(1.0F), distinct(1.3F));
  EXPECT_LT(distinct(1.3F), distinct(3.0F));
}

TEST(Penalties, EqualTheFormula) {
  SamplingParams params;
  params.repetition_penalty = 1.5F;
  params.presence_penalty = 0.25F;
  params.frequency_penalty = 0.5F;
  params.logit_bias = {{7, 3.0F}};
  const std::vector<int32_t> prompt = {1, 1, 2};
  Penalties penalties(params, prompt);
  penalties.Accept(2);
  penalties.Accept(2);
  penalties.Accept(4);
  std::vector<float> logits = {1, 3, -2, 1, 6, 0, 0, 1};
  penalties.Apply(logits);
  EXPECT_EQ(logits, (std::vector<float>{1, 3 / 1.5F, -2 * 1.5F - 1.0F - 0.25F, 1,
                                        6 / 1.5F - 0.5F - 0.25F, 0, 0, 4}));
}

TEST(Penalties, PresenceAndFrequencyLeaveThePromptAlone) {
  SamplingParams params;
  params.presence_penalty = 1;
  const std::vector<int32_t> prompt = {1, 2};
  Penalties penalties(params, prompt);
  std::vector<float> logits = {1, 1, 1};
  penalties.Apply(logits);
  EXPECT_EQ(logits, (std::vector<float>{1, 1, 1}));
}

TEST(Sampler, EndTokensAreBannedBeforeMinTokens) {
  SamplingParams params;
  params.temperature = 0;
  params.min_tokens = 3;
  params.stop_token_ids = {9};
  std::vector<float> row = Row(1);
  row[3] = 60;
  row[9] = 50;
  row[5] = 40;
  EXPECT_EQ(DrawMany(params, row, 4), (std::vector<int32_t>{5, 5, 5, 3}));
}

TEST(Sampler, LogprobsAreOfTheUnmodifiedDistribution) {
  SamplingParams params;
  params.temperature = 0;
  params.top_logprobs = 4;
  params.logit_bias = {{11, 100.0F}};
  const std::vector<float> row = Row(6);
  Sampler sampler({.params = params});
  SamplerScratch scratch;
  const SampledToken sampled = sampler.Sample(row, {}, scratch);
  double sum = 0;
  for (const float logit : row) sum += std::exp(static_cast<double>(logit));
  EXPECT_EQ(sampled.token, 11);
  EXPECT_NEAR(static_cast<double>(sampled.logprob), static_cast<double>(row[11]) - std::log(sum),
              1e-5);
  ASSERT_EQ(sampled.top.size(), 4U);
  for (size_t i = 0; i < 4; ++i) {
    const auto better = std::count_if(row.begin(), row.end(), [&](float logit) {
      return static_cast<double>(logit) - std::log(sum) >
             static_cast<double>(sampled.top[i].logprob) + 1e-6;
    });
    EXPECT_EQ(better, static_cast<int64_t>(i));
  }
}

// The mean surprise in bits of what mirostat draws, in the whole distribution.
double MirostatSurprise(const std::vector<float>& row, float tau) {
  SamplingParams params;
  params.mirostat = 2;
  params.mirostat_tau = tau;
  params.top_logprobs = 0;
  Sampler sampler({.params = params, .seed = 3});
  SamplerScratch scratch;
  constexpr int kDraws = 1500;
  double surprise = 0;
  for (int i = 0; i < kDraws; ++i) {
    const SampledToken sampled = sampler.Sample(row, {}, scratch);
    sampler.Accept(sampled.token);
    surprise -= static_cast<double>(sampled.logprob) / std::log(2.0);
  }
  return surprise / kDraws;
}

TEST(Sampler, MirostatSteersTheSurprise) {
  const std::vector<float> row = Row(12, 5000);
  const double low = MirostatSurprise(row, 3);
  const double middle = MirostatSurprise(row, 5);
  const double high = MirostatSurprise(row, 7);
  EXPECT_LT(low, middle - 0.5);
  EXPECT_LT(middle, high - 0.5);
  // What was cut away makes each token a little less surprising to the rule than it is in the whole
  // distribution.
  EXPECT_GT(low, 3.0);
  EXPECT_LT(high, 7.0 + 2.0);
}

TEST(Sampler, NoNumberIsNoToken) {
  const SamplingParams params;
  const std::vector<float> row(kVocab, std::nanf(""));
  Sampler sampler({.params = params});
  SamplerScratch scratch;
  EXPECT_EQ(sampler.Sample(row, {}, scratch).token, -1);
}

// DRY, the plain way: for each earlier position, how long is the common end?
std::vector<float> SlowDry(const SamplingParams& params, const std::vector<int32_t>& history,
                           int32_t breaker) {
  std::vector<float> penalty(kVocab, 0.0F);
  std::vector<int32_t> window = history;
  if (params.dry_penalty_last_n >= 0 &&
      window.size() > static_cast<size_t>(params.dry_penalty_last_n)) {
    window.erase(window.begin(), window.end() - params.dry_penalty_last_n);
  }
  const auto n = static_cast<int64_t>(window.size());
  for (int64_t end = 0; end + 1 < n; ++end) {
    int64_t length = 0;
    while (length <= end &&
           window[static_cast<size_t>(end - length)] ==
               window[static_cast<size_t>(n - 1 - length)] &&
           window[static_cast<size_t>(n - 1 - length)] != breaker) {
      ++length;
    }
    if (length == 0 || length < params.dry_allowed_length) continue;
    float& found = penalty[static_cast<size_t>(window[static_cast<size_t>(end + 1)])];
    const auto exponent = static_cast<float>(length - params.dry_allowed_length);
    found = std::max(found, params.dry_multiplier * std::pow(params.dry_base, exponent));
  }
  return penalty;
}

TEST(Dry, EqualsThePlainVersion) {
  std::mt19937 random(21);
  for (int round = 0; round < 300; ++round) {
    SamplingParams params;
    params.dry_multiplier = 0.8F;
    params.dry_allowed_length = static_cast<int32_t>(random() % 4);
    params.dry_penalty_last_n = random() % 2 == 0 ? -1 : static_cast<int32_t>(random() % 30);
    params.dry_sequence_breakers = {"!"};
    std::vector<int32_t> history;
    for (unsigned i = 0; i < 1 + random() % 60; ++i)
      history.push_back(static_cast<int32_t>(random() % 4));
    const auto text = [](int32_t token) {
      return token == 3 ? std::string_view("!") : std::string_view("x");
    };
    Dry dry(params, text, history);
    std::vector<float> logits(kVocab, 0.0F);
    dry.Apply(history, logits);
    const std::vector<float> expected = SlowDry(params, history, 3);
    for (size_t i = 0; i < logits.size(); ++i)
      EXPECT_NEAR(logits[i], -expected[i], 1e-3F * (1 + expected[i]));
  }
}

TEST(Dry, BreakersAcrossTokens) {
  SamplingParams params;
  params.dry_multiplier = 1;
  params.dry_allowed_length = 1;
  params.dry_sequence_breakers = {"ab"};
  const auto text = [](int32_t token) {
    return token == 0 ? std::string_view("xa") : std::string_view("by");
  };
  const std::vector<int32_t> history = {1, 0, 1, 0, 1};  // byxabyxaby
  Dry dry(params, text, history);
  std::vector<float> logits(kVocab, 0.0F);
  dry.Apply(history, logits);
  EXPECT_EQ(logits[0], 0.0F);  // the last token ended a breaker
}

TEST(Validate, NamesTheField) {
  const auto field = [](auto change) {
    SamplingParams params;
    change(params);
    return Validate(params, kVocab).field();
  };
  EXPECT_TRUE(Validate({}, kVocab).ok());
  EXPECT_EQ(field([](SamplingParams& p) { p.temperature = -0.1F; }), "temperature");
  EXPECT_EQ(field([](SamplingParams& p) { p.temperature = std::nanf(""); }), "temperature");
  EXPECT_EQ(field([](SamplingParams& p) { p.top_p = 0; }), "top_p");
  EXPECT_EQ(field([](SamplingParams& p) { p.repetition_penalty = 0; }), "repetition_penalty");
  EXPECT_EQ(field([](SamplingParams& p) { p.logit_bias = {{kVocab, 1.0F}}; }), "logit_bias");
  EXPECT_EQ(field([](SamplingParams& p) { p.logit_bias = {{1, 101.0F}}; }), "logit_bias");
  EXPECT_EQ(field([](SamplingParams& p) { p.stop = {""}; }), "stop");
  EXPECT_EQ(field([](SamplingParams& p) { p.stop_token_ids = {-1}; }), "stop_token_ids");
  EXPECT_EQ(field([](SamplingParams& p) { p.mirostat = 1; }), "mirostat");
  EXPECT_EQ(field([](SamplingParams& p) { p.max_tokens = 3, p.min_tokens = 4; }), "min_tokens");
  EXPECT_EQ(field([](SamplingParams& p) { p.top_logprobs = 21; }), "top_logprobs");
  EXPECT_NE(Validate(
                [] {
                  SamplingParams p;
                  p.top_p = 1.5F;
                  return p;
                }(),
                kVocab)
                .message()
                .find("1.5"),
            std::string::npos);
}

}  // namespace
}  // namespace pingti::runtime
