// StepPace: how many prompt tokens a step may have so that it ends in time: streams under way must
// not stand still while a long prompt is read, and a cancelled prompt must stop soon. Learns the
// machine's speed from the steps before. A value; results do not depend on it, since a row's bits
// do not depend on how its prompt was cut.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/kv_cache.h"

namespace pingti::runtime {

class StepPace final {
 public:
  // `tokens_max` is the most a step may ever have.
  explicit StepPace(int32_t tokens_max) : tokens_max_(tokens_max) {}

  void Note(int32_t tokens, double seconds) {
    if (tokens < kTokensMin) return;  // a step of few tokens is bound by reading the weights
    const double sample = seconds / tokens;
    constexpr double kWeight = 0.3;
    seconds_per_token_ =
        seconds_per_token_ == 0 ? sample : (1 - kWeight) * seconds_per_token_ + kWeight * sample;
  }

  int32_t PromptTokensMax(bool others_decode) const {
    if (seconds_per_token_ == 0) return std::min(kTokensFirst, tokens_max_);
    const double tokens = (others_decode ? kSecondsWithDecode : kSecondsAlone) / seconds_per_token_;
    const auto bounded = static_cast<int32_t>(
        std::clamp(tokens, double{kTokensMin}, static_cast<double>(tokens_max_)));
    return bounded - bounded % ops::kBlockTokens;
  }

 private:
  static constexpr double kSecondsWithDecode = 0.25;
  static constexpr double kSecondsAlone = 1.0;
  static constexpr int32_t kTokensMin = 64;     // fewer waste the weights' way from memory
  static constexpr int32_t kTokensFirst = 256;  // while the speed is unknown

  int32_t tokens_max_;
  double seconds_per_token_ = 0;
};

}  // namespace pingti::runtime
