#include "runtime/scheduler.h"

#include <gtest/gtest.h>

#include <numeric>

namespace pingti::runtime {
namespace {

SchedulerOptions Options(int32_t blocks) {
  SchedulerOptions options;
  options.blocks = blocks;
  return options;
}

std::vector<int32_t> Tokens(int32_t count, int32_t first = 0) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

// Plans and completes a step, drawing token 7 everywhere. Returns the rows that were computed.
int32_t Step(Scheduler& scheduler) {
  const StepPlan& plan = scheduler.Plan(1 << 20);
  scheduler.Complete();
  const auto rows = static_cast<int32_t>(plan.tokens.size());
  for (const PlannedRows& share : plan.shares) {
    if (share.samples) scheduler.Append(share.sequence, 7);
  }
  scheduler.CheckInvariants();
  return rows;
}

TEST(Scheduler, SharedPrefixIsComputedOnce) {
  constexpr int32_t kPrefix = 4096;
  constexpr int32_t kOwn = 40;
  constexpr int32_t kUsers = 32;
  Scheduler scheduler(Options(kUsers * (kPrefix / 32 + 3)));
  for (int32_t user = 0; user < kUsers; ++user) {
    SequenceSpec spec;
    spec.tokens = Tokens(kPrefix);
    const std::vector<int32_t> own = Tokens(kOwn, 10000 * (user + 1));
    spec.tokens.insert(spec.tokens.end(), own.begin(), own.end());
    scheduler.Add(std::move(spec));
  }
  int32_t rows = 0;
  int32_t steps = 0;
  while (scheduler.waiting() > 0 || rows < kPrefix + kUsers * kOwn) {
    rows += Step(scheduler);
    ASSERT_LT(++steps, 100);
  }
  const int32_t answers = rows - kPrefix - kUsers * kOwn;
  EXPECT_LE(answers, kUsers * 4)
      << "all rows but the answers' belong to one prefix and the users' own tokens";
  EXPECT_EQ(scheduler.counters().prefix_hits_tokens, static_cast<uint64_t>(kPrefix) * (kUsers - 1));
  EXPECT_LE(scheduler.pool().used_blocks(), kPrefix / 32 + kUsers * 3);
}

TEST(Scheduler, DecodingGoesBeforePromptsAndChunksAreBounded) {
  SchedulerOptions options = Options(400);
  options.batch_tokens_max = 100;
  options.sequences_max = 10;
  options.prefill_chunk_max = 64;
  Scheduler scheduler(options);
  Sequence* decoding = scheduler.Add({.tokens = Tokens(5)});
  Step(scheduler);
  Sequence* first = scheduler.Add({.tokens = Tokens(300, 1000)});
  Sequence* second = scheduler.Add({.tokens = Tokens(300, 2000)});
  Step(scheduler);
  EXPECT_EQ(decoding->tokens_computed, 6);
  EXPECT_EQ(first->tokens_computed, 64);
  EXPECT_EQ(second->tokens_computed, 32);  // 35 were left: cut where a block ends
}

TEST(Scheduler, NobodyOvertakesALargeRequestThatWaitsForRoom) {
  SchedulerOptions options = Options(10);
  Scheduler scheduler(options);
  Sequence* running = scheduler.Add({.tokens = Tokens(200)});
  Step(scheduler);
  Sequence* large = scheduler.Add({.tokens = Tokens(200, 1000)});
  Sequence* small = scheduler.Add({.tokens = Tokens(10, 5000)});
  Step(scheduler);
  EXPECT_FALSE(large->running);
  EXPECT_FALSE(small->running);
  scheduler.Finish(running);
  Step(scheduler);
  EXPECT_TRUE(large->running);
}

TEST(Scheduler, ABetterPriorityTakesTheRoomOfAWorseOne) {
  Scheduler scheduler(Options(10));
  Sequence* low = scheduler.Add({.tokens = Tokens(200), .priority = 1});
  Step(scheduler);
  Sequence* high = scheduler.Add({.tokens = Tokens(200, 1000), .priority = 0});
  Step(scheduler);
  EXPECT_TRUE(high->running);
  EXPECT_FALSE(low->running);
  EXPECT_EQ(scheduler.counters().preemptions, 1U);
}

TEST(Scheduler, ForksShareThePromptAndCopyItsLastBlock) {
  Scheduler scheduler(Options(20));
  Sequence* leader = scheduler.Add({.tokens = Tokens(40), .forks = 3});
  scheduler.Plan(1000);
  scheduler.Complete();
  Sequence* second = scheduler.Fork(leader, nullptr);
  Sequence* third = scheduler.Fork(leader, nullptr);
  EXPECT_EQ(scheduler.pool().used_blocks(), 2);
  int32_t token = 100;
  for (Sequence* sequence : {leader, second, third}) scheduler.Append(sequence, ++token);
  scheduler.CheckInvariants();
  const StepPlan& plan = scheduler.Plan(1000);
  EXPECT_EQ(plan.copies.size(), 2U);  // the last one keeps the original
  EXPECT_EQ(scheduler.pool().used_blocks(), 4);
  scheduler.Complete();
  scheduler.CheckInvariants();
}

TEST(Scheduler, TheLimitFunctionBoundsWhatRuns) {
  SchedulerOptions options = Options(100);
  options.sequences_limit = [](int32_t waiting) { return waiting > 5 ? 3 : 2; };
  Scheduler scheduler(options);
  for (int32_t i = 0; i < 10; ++i) scheduler.Add({.tokens = Tokens(10, i * 100)});
  Step(scheduler);
  EXPECT_EQ(scheduler.running(), 3);
  EXPECT_EQ(scheduler.waiting(), 7);
}

TEST(Scheduler, WithoutAPrefixCacheNothingIsShared) {
  SchedulerOptions options = Options(100);
  options.prefix_cache = false;
  Scheduler scheduler(options);
  for (int32_t i = 0; i < 4; ++i) scheduler.Add({.tokens = Tokens(100)});
  EXPECT_EQ(Step(scheduler), 400);
  EXPECT_EQ(scheduler.counters().prefix_hits_tokens, 0U);
  EXPECT_EQ(scheduler.pool().used_blocks(), 16);
}

}  // namespace
}  // namespace pingti::runtime
