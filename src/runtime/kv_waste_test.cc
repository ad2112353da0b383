// How much of the KV memory that sequences hold is empty, under mixes of lengths as servers see
// them: only the last block of a sequence is not full, 16 places on average, so that the share
// falls with the length of what is held.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <random>

#include "runtime/scheduler.h"

namespace pingti::runtime {
namespace {

struct Mix {
  const char* name;
  int32_t shared = 0;      // tokens that all prompts begin with (a system prompt)
  double prompt_mean = 0;  // tokens after them; log-normal
  double answer_mean = 0;
  double waste_max = 0;
};

class Lengths {
 public:
  explicit Lengths(uint64_t seed) : random_(seed) {}
  int32_t LogNormal(double mean) {
    constexpr double kSigma = 0.8;
    const double median = mean / std::exp(kSigma * kSigma / 2);
    return std::max(1, static_cast<int32_t>(
                           std::lognormal_distribution<double>(std::log(median), kSigma)(random_)));
  }
  int32_t Token() { return static_cast<int32_t>(random_() % 50000); }

 private:
  std::mt19937_64 random_;
};

// The mean share over the steps of 300 requests, 32 at a time.
double MeanWaste(const Mix& mix) {
  Scheduler scheduler({.blocks = 20000, .sequences_max = 32});
  Lengths lengths(11);
  std::map<Sequence*, int32_t> left;
  double sum = 0;
  int64_t steps = 0;
  for (int32_t arrived = 0; arrived < 300 || !scheduler.idle();) {
    while (arrived < 300 && left.size() < 40) {
      std::vector<int32_t> prompt(static_cast<size_t>(mix.shared), 7);
      for (int32_t i = lengths.LogNormal(mix.prompt_mean); i > 0; --i)
        prompt.push_back(lengths.Token());
      left[scheduler.Add({.tokens = std::move(prompt)})] = lengths.LogNormal(mix.answer_mean);
      ++arrived;
    }
    const StepPlan plan = scheduler.Plan(512);
    scheduler.Complete();
    for (const PlannedRows& share : plan.shares) {
      if (!share.samples) continue;
      if (--left.at(share.sequence) > 0) {
        scheduler.Append(share.sequence, lengths.Token());
      } else {
        left.erase(share.sequence);
        scheduler.Finish(share.sequence);
      }
    }
    const double waste = scheduler.waste();
    EXPECT_GE(waste, 0);
    if (scheduler.running() > 0) sum += waste;
    steps += scheduler.running() > 0 ? 1 : 0;
  }
  EXPECT_EQ(scheduler.waste(), 0) << "nothing is held";
  return sum / static_cast<double>(steps);
}

TEST(KvWaste, IsSmallUnderRealisticLengths) {
  const Mix mixes[] = {
      {"assistant with instructions and history", 200, 400, 250, 0.04},
      {"questions about documents", 300, 1500, 200, 0.02},
      {"code completion with files", 0, 1200, 60, 0.02},
      {"short chats without history", 0, 160, 340, 0.04},
  };
  for (const Mix& mix : mixes) {
    const double waste = MeanWaste(mix);
    RecordProperty(mix.name, std::to_string(waste));
    std::printf("%s: %.2f %%\n", mix.name, 100 * waste);
    EXPECT_LT(waste, mix.waste_max) << mix.name;
  }
}

TEST(KvWaste, IsLessThanABlockOfEachSequence) {
  Scheduler scheduler({.blocks = 100});
  scheduler.Add({.tokens = std::vector<int32_t>(33, 1)});
  scheduler.Plan(512);
  scheduler.Complete();
  EXPECT_DOUBLE_EQ(scheduler.waste(), 31.0 / 64);
}

}  // namespace
}  // namespace pingti::runtime
