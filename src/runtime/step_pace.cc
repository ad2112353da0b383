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
  const double tokens = step.prompt_rows;
  const double least = step.seconds * tokens / (tokens + step.answer_rows) / 2;
  const double seconds = std::max(step.seconds - AnswerSeconds(step.answer_rows), least);
  constexpr double kKept = 0.8;  // of the steps before: the last five or so count
  prompts_.weight = prompts_.weight * kKept + 1;
  prompts_.tokens = prompts_.tokens * kKept + tokens;
  prompts_.seconds = prompts_.seconds * kKept + seconds;
  prompts_.squares = prompts_.squares * kKept + tokens * tokens;
  prompts_.products = prompts_.products * kKept + tokens * seconds;
}

// Least squares, through the origin while all steps had about the same size.
StepPace::Line StepPace::PromptLine() const {
  if (prompts_.weight == 0) return {};
  const double tokens = prompts_.tokens / prompts_.weight;
  const double seconds = prompts_.seconds / prompts_.weight;
  const double variance = prompts_.squares / prompts_.weight - tokens * tokens;
  const double covariance = prompts_.products / prompts_.weight - tokens * seconds;
  const double even = seconds / tokens;
  constexpr double kSpreadMin = 0.01;  // of the square of the mean
  if (variance < kSpreadMin * tokens * tokens) return {.fixed = 0, .per_token = even};
  // Noise must not make the line fall or steeper than one through the origin.
  constexpr double kFlattest = 0.2;
  const double slope = std::clamp(covariance / variance, kFlattest * even, even);
  return {.fixed = seconds - slope * tokens, .per_token = slope};
}

// Of a size that was not seen: the next smaller one, and for each row more at least what a row of a
// prompt takes, since those share more of the work.
double StepPace::AnswerSeconds(int32_t answer_rows) const {
  if (answer_rows == 0) return 0;
  const size_t own = SizeOf(answer_rows);
  if (answer_seconds_[own] > 0) return answer_seconds_[own];
  const double per_row = PromptLine().per_token;
  for (size_t size = own; size > 0; --size) {
    if (answer_seconds_[size - 1] == 0) continue;
    const int32_t rows_more = answer_rows - (1 << size) + 1;
    return answer_seconds_[size - 1] + rows_more * per_row;
  }
  return answer_rows * per_row;
}

int32_t StepPace::PromptTokensMax(int32_t answer_rows) const {
  const Line line = PromptLine();
  if (line.per_token == 0)
    return std::min(answer_rows > 0 ? kTokensMin : kTokensFirst, options_.tokens_max);
  const double wanted =
      answer_rows == 0
          ? kSecondsAlone
          : std::max(kPauseSeconds, (options_.stretch - 1) * AnswerSeconds(answer_rows));
  const double seconds = std::max(wanted, line.fixed / kFixedShareMax);
  const auto tokens = static_cast<int32_t>(
      std::min<double>((seconds - line.fixed) / line.per_token, options_.tokens_max));
  const int32_t whole_blocks =
      (tokens + ops::kBlockTokens / 2) / ops::kBlockTokens * ops::kBlockTokens;
  return std::clamp(whole_blocks, std::min(kTokensMin, options_.tokens_max), options_.tokens_max);
}

}  // namespace pingti::runtime
