#include "runtime/step_pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <unordered_map>
#include <vector>

#include "runtime/scheduler.h"

namespace pingti::runtime {
namespace {

// What steps of a made machine take.
struct Machine {
  double weights = 0;     // seconds to read the weights
  double answer_row = 0;  // seconds
  double prompt_row = 0;

  double Seconds(int32_t answers, int32_t prompts) const {
    return std::max(weights + answers * answer_row,
                    weights / 2 + answers * answer_row + prompts * prompt_row);
  }
};

constexpr Machine kSmallModel = {.weights = 0.003, .answer_row = 0.001, .prompt_row = 0.0004};
constexpr Machine kLargeModel = {.weights = 0.15, .answer_row = 0.004, .prompt_row = 0.02};

StepPace Learned(const Machine& machine, double stretch, int32_t answers) {
  StepPace pace({.tokens_max = 2048, .stretch = stretch});
  for (int i = 0; i < 20; ++i) {
    pace.Note({.answer_rows = answers, .seconds = machine.Seconds(answers, 0)});
    pace.Note(
        {.answer_rows = answers, .prompt_rows = 128, .seconds = machine.Seconds(answers, 128)});
  }
  return pace;
}

TEST(StepPace, StartsWithLittle) {
  const StepPace pace({.tokens_max = 2048, .stretch = 3});
  EXPECT_EQ(pace.PromptTokensMax(0), StepPace::kTokensFirst);
  EXPECT_EQ(pace.PromptTokensMax(5), StepPace::kTokensMin);
  EXPECT_EQ(StepPace({.tokens_max = 8, .stretch = 3}).PromptTokensMax(5), 8);
}

TEST(StepPace, PromptsStretchAStepOfAnswersByTheGivenFactor) {
  for (const double stretch : {4.0, 8.0}) {
    const StepPace pace = Learned(kSmallModel, stretch, 40);
    const int32_t prompts = pace.PromptTokensMax(40);
    const double alone = kSmallModel.Seconds(40, 0);
    EXPECT_LE(kSmallModel.Seconds(40, prompts - 16), stretch * alone * 1.02) << stretch;
    EXPECT_GE(kSmallModel.Seconds(40, prompts + 64), stretch * alone) << stretch;
    EXPECT_EQ(prompts % 32, 0);
  }
}

TEST(StepPace, FastStepsMayPauseForAMoment) {
  const StepPace pace = Learned(kSmallModel, 1, 2);
  const int32_t prompts = pace.PromptTokensMax(2);
  EXPECT_GE(prompts, StepPace::kTokensMin);
  EXPECT_LE(kSmallModel.Seconds(2, prompts - 16),
            kSmallModel.Seconds(2, 0) + StepPace::kPauseSeconds);
}

TEST(StepPace, SlowMachinesReadABlockAtLeast) {
  EXPECT_EQ(Learned(kLargeModel, 1.5, 4).PromptTokensMax(4), StepPace::kTokensMin);
}

TEST(StepPace, TheFixedPartIsLearnedAndNotRepeatedForLittle) {
  constexpr double kFixed = 0.3;
  constexpr double kToken = 0.002;
  StepPace pace({.tokens_max = 2048, .stretch = 1});
  for (const int32_t tokens : {32, 64, 128, 64, 32, 128}) {
    pace.Note({.prompt_rows = tokens, .seconds = kFixed + tokens * kToken});
  }
  const int32_t prompts = pace.PromptTokensMax(1);
  EXPECT_NEAR(kFixed / (kFixed + prompts * kToken), StepPace::kFixedShareMax, 0.02);
}

TEST(StepPace, AloneAStepMayTakeASecond) {
  EXPECT_EQ(Learned(kSmallModel, 3, 4).PromptTokensMax(0), 2048);
  const int32_t prompts = Learned(kLargeModel, 3, 4).PromptTokensMax(0);
  EXPECT_LT(kLargeModel.Seconds(0, prompts), 1.5 * StepPace::kSecondsAlone);
  EXPECT_GT(kLargeModel.Seconds(0, prompts), 0.5 * StepPace::kSecondsAlone);
}

TEST(StepPace, SmallerBatchesBoundWhatLargerOnesTake) {
  StepPace pace({.tokens_max = 2048, .stretch = 3});
  pace.Note({.answer_rows = 4, .seconds = 0.1});
  EXPECT_EQ(pace.AnswerSeconds(3), 0);
  EXPECT_EQ(pace.AnswerSeconds(4), 0.1);
  EXPECT_EQ(pace.AnswerSeconds(30), 0.1);
  pace.Note({.answer_rows = 17, .seconds = 0.3});
  EXPECT_EQ(pace.AnswerSeconds(15), 0.1);
  EXPECT_EQ(pace.AnswerSeconds(31), 0.3);
}

TEST(StepPace, StaysUsableWhateverTheClockSays) {
  StepPace pace({.tokens_max = 2048, .stretch = 3});
  pace.Note({.answer_rows = 2, .seconds = 5});  // a hiccup
  pace.Note({.answer_rows = 2, .prompt_rows = 100, .seconds = 0.1});
  pace.Note({.answer_rows = 2, .prompt_rows = 100, .seconds = 0});
  const int32_t prompts = pace.PromptTokensMax(2);
  EXPECT_GE(prompts, StepPace::kTokensMin);
  EXPECT_LE(prompts, 2048);
}

// Streams that come while others answer, on a made machine: the scheduler with the pace.
struct Load {
  double stretch = 0;
  double seconds = 0;        // until all are done
  double longest_pause = 0;  // of a sequence between two of its tokens
  double answers_alone = 0;  // the longest step without prompts
  double last_start = 0;     // seconds from a request's arrival to its first token, the longest
};

void Serve(const Machine& machine, uint64_t seed, Load& load) {
  constexpr int32_t kRequests = 60;
  Scheduler scheduler({.blocks = 4000, .sequences_max = 32});
  StepPace pace({.tokens_max = 2048, .stretch = load.stretch});
  struct Stream {
    int32_t left = 0;
    double arrived = 0;
    double last = -1;
  };
  std::unordered_map<Sequence*, Stream> streams;
  std::mt19937_64 random(seed);
  int32_t arrived = 0;
  double now = 0;
  for (int32_t step = 0; arrived < kRequests || !scheduler.idle(); ++step) {
    ASSERT_LT(step, 100'000);
    // The first 20 together, then one by one.
    while (arrived < kRequests && (arrived < 20 || random() % 16 == 0 || scheduler.idle())) {
      std::vector<int32_t> prompt(20 + random() % 600);
      for (int32_t& token : prompt) token = static_cast<int32_t>(random() % 1000);
      Sequence* sequence = scheduler.Add({.tokens = std::move(prompt)});
      streams[sequence] = {.left = static_cast<int32_t>(10 + random() % 90), .arrived = now};
      ++arrived;
    }
    const int32_t answers = scheduler.decoding();
    const int32_t most = pace.PromptTokensMax(answers);
    const StepPlan plan = scheduler.Plan(most);
    ASSERT_FALSE(plan.empty());
    const auto rows = static_cast<int32_t>(plan.tokens.size());
    const StepPace::Step done = {.answer_rows = answers,
                                 .prompt_rows = rows - answers,
                                 .seconds = machine.Seconds(answers, rows - answers)};
    ASSERT_LE(done.prompt_rows, most) << "prompts keep to their part";
    now += done.seconds;
    pace.Note(done);
    load.answers_alone = std::max(load.answers_alone, machine.Seconds(answers, 0));
    scheduler.Complete();
    for (const PlannedRows& share : plan.shares) {
      if (!share.samples) continue;
      Stream& stream = streams.at(share.sequence);
      if (stream.last < 0) load.last_start = std::max(load.last_start, now - stream.arrived);
      if (stream.last >= 0) load.longest_pause = std::max(load.longest_pause, now - stream.last);
      stream.last = now;
      if (--stream.left > 0) {
        scheduler.Append(share.sequence, 1);
      } else {
        streams.erase(share.sequence);
        scheduler.Finish(share.sequence);
      }
    }
  }
  load.seconds = now;
}

TEST(StepPace, StreamsUnderWayNeverWaitLongForPrompts) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Load tight{.stretch = 3};
    Load loose{.stretch = 1000};
    ASSERT_NO_FATAL_FAILURE(Serve(kSmallModel, seed, tight));
    ASSERT_NO_FATAL_FAILURE(Serve(kSmallModel, seed, loose));
    // While the times of larger batches are not known yet, those of smaller ones serve.
    EXPECT_LE(tight.longest_pause, std::max(tight.stretch * tight.answers_alone,
                                            tight.answers_alone + StepPace::kPauseSeconds) *
                                       1.05);
    EXPECT_GT(loose.longest_pause, 2 * tight.longest_pause) << "there was something to bound";
    // The work is the same; it is only spread.
    EXPECT_LT(tight.seconds, 1.1 * loose.seconds);
  }
}

}  // namespace
}  // namespace pingti::runtime
