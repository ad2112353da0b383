// StepPace: how many prompt tokens a step may have so that it ends in time: answers under way must
// not stand still while prompts are read, and a cancelled prompt must stop soon. Learns the
// machine's speed from the steps before: the prompts' part of a step takes a fixed time (weights are
// read and unpacked) and a time for each token, the line through the latest steps. A value; results
// do not depend on it, since a row's bits do not depend on how its prompt was cut.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pingti::runtime {

class StepPace final {
 public:
  // Prompts may always have so much of a step: answers still come faster than people read.
  static constexpr double kPauseSeconds = 0.1;
  static constexpr double kSecondsAlone = 1.0;  // a step in which no answer waits
  static constexpr int32_t kTokensMin = 32;     // a block: prompts go on however slow the machine
  // So much of the prompts' part may be fixed: smaller pieces would mostly repeat it.
  static constexpr double kFixedShareMax = 1.0 / 3;
  static constexpr int32_t kTokensFirst =
      256;  // while the speed is unknown; kTokensMin beside answers

  struct Options {
    int32_t tokens_max = 0;  // the most a step may ever have
    // A step that answers and prompts share takes at most so many times as long as one of the
    // answers alone.
    double stretch = 0;  // >= 1
  };
  struct Step {
    int32_t answer_rows = 0;
    int32_t prompt_rows = 0;
    double seconds = 0;
  };

  explicit StepPace(const Options& options) : options_(options) {}

  void Note(const Step& step);
  // Of a step with so many rows of answers.
  int32_t PromptTokensMax(int32_t answer_rows) const;
  // What a step of answers alone takes, as far as it is known: not more than it will.
  double AnswerSeconds(int32_t answer_rows) const;

 private:
  static constexpr std::size_t kSizes = 32;  // by the power of two

  // The prompts' part of a step by its tokens: a line.
  struct Line {
    double fixed = 0;      // seconds
    double per_token = 0;  // seconds; 0: unknown
  };
  Line PromptLine() const;

  // Of steps with prompts, the older the lighter: weight, and sums of tokens, seconds, tokens squared and tokens times
  // seconds.
  struct Moments {
    double weight = 0;
    double tokens = 0;
    double seconds = 0;
    double squares = 0;
    double products = 0;
  };

  Options options_;
  Moments prompts_;
  std::array<double, kSizes> answer_seconds_ = {};
};

}  // namespace pingti::runtime
