#include "runtime/step_pace.h"

#include <algorithm>
#include <bit>

#include "ops/kv_cache.h"

namespace pingti::runtime {
namespace {

constexpr int32_t kPromptRowsMin = 16;  // fewer tell more about the weights' way from memory

void Blend(double& mean, double sample) {
  constexpr double kWeight = 0.3;
  mean = mean == 0 ? sample : (1 - kWeight) * mean + kWeight * sample;
}

size_t SizeOf(int32_t rows) {
  return static_cast<size_t>(std::bit_width(static_cast<uint32_t>(std::max(1, rows))) - 1);
}

}  // namespace

void StepPace::Note(const Step& step) {
  if (step.prompt_rows == 0) {
    if (step.answer_rows > 0) Blend(answer_seconds_[SizeOf(step.answer_rows)], step.seconds);
    return;
  }
  if (step.prompt_rows < kPromptRowsMin) return;
  // A row of a prompt costs about as much as one of an answer at least, so what is left for the
  // prompts cannot be next to nothing.
  const double per_row = step.seconds / (step.prompt_rows + step.answer_rows);
  const double rest = (step.seconds - AnswerSeconds(step.answer_rows)) / step.prompt_rows;
  Blend(seconds_per_prompt_token_, std::max(rest, per_row / 2));
}

// Of a size that was not seen: the next smaller one, and for each row more at least what a row of a
// prompt takes, since those share more of the work.
double StepPace::AnswerSeconds(int32_t answer_rows) const {
  if (answer_rows == 0) return 0;
  const size_t own = SizeOf(answer_rows);
  if (answer_seconds_[own] > 0) return answer_seconds_[own];
  for (size_t size = own; size > 0; --size) {
    if (answer_seconds_[size - 1] == 0) continue;
    const int32_t rows_more = answer_rows - (1 << size) + 1;
    return answer_seconds_[size - 1] + rows_more * seconds_per_prompt_token_;
  }
  return answer_rows * seconds_per_prompt_token_;
}

int32_t StepPace::PromptTokensMax(int32_t answer_rows) const {
  if (seconds_per_prompt_token_ == 0)
    return std::min(answer_rows > 0 ? kTokensMin : kTokensFirst, options_.tokens_max);
  const double seconds =
      answer_rows == 0
          ? kSecondsAlone
          : std::max(kPauseSeconds, (options_.stretch - 1) * AnswerSeconds(answer_rows));
  const auto tokens = static_cast<int32_t>(
      std::min<double>(seconds / seconds_per_prompt_token_, options_.tokens_max));
  const int32_t whole_blocks =
      (tokens + ops::kBlockTokens / 2) / ops::kBlockTokens * ops::kBlockTokens;
  return std::clamp(whole_blocks, std::min(kTokensMin, options_.tokens_max), options_.tokens_max);
}

}  // namespace pingti::runtime
