// The scheduler's own time for a step of N decoding sequences: `scheduler_bench [steps]`. Guards
// against work that does not belong into the step; the model is not run.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "runtime/scheduler.h"

namespace {

using pingti::runtime::PlannedRows;
using pingti::runtime::Scheduler;
using pingti::runtime::SchedulerOptions;
using pingti::runtime::StepPlan;

double MicrosecondsPerStep(int32_t sequences, int32_t steps) {
  constexpr int32_t kPrompt = 500;
  SchedulerOptions options;
  options.blocks = sequences * Scheduler::BlocksFor(kPrompt + steps + 64) + 64;
  options.sequences_max = sequences;
  Scheduler scheduler(options);
  for (int32_t i = 0; i < sequences; ++i) {
    std::vector<int32_t> tokens(kPrompt, i);
    scheduler.Add({.tokens = std::move(tokens), .fairness_key = std::to_string(i % 8)});
  }
  const auto step = [&scheduler] {
    const StepPlan& plan = scheduler.Plan(1 << 20);
    scheduler.Complete();
    for (const PlannedRows& share : plan.shares) {
      if (share.samples) scheduler.Append(share.sequence, share.position_begin % 1000);
    }
    return static_cast<int32_t>(plan.tokens.size());
  };
  while (step() > sequences || scheduler.waiting() > 0) {
  }
  const auto begin = std::chrono::steady_clock::now();
  for (int32_t i = 0; i < steps; ++i) step();
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begin;
  return spent.count() / steps;
}

}  // namespace

int main(int argc, char** argv) {
  const int32_t steps = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1000;
  for (const int32_t sequences : {1, 32, 256}) {
    fmt::print("{:4} sequences: {:7.1f} us a step\n", sequences,
               MicrosecondsPerStep(sequences, steps));
  }
}
