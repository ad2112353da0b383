// What changes single logits before the distribution is cut: repetition, presence and frequency
// penalties, logit_bias, and the ban of end tokens before min_tokens. Counts are of one answer; one
// thread.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "runtime/sampling.h"

namespace pingti::runtime {

class Penalties final {
 public:
  // `prompt` counts for the repetition penalty.
  Penalties(const SamplingParams& params, std::span<const int32_t> prompt);

  bool active() const { return active_; }
  void Accept(int32_t token);
  // logits [vocab], in place: repetition penalty (Keskar et al. 2019), then frequency and presence
  // (OpenAI), then bias.
  void Apply(std::span<float> logits) const;

 private:
  struct Count {
    int32_t in_answer = 0;
  };

  const SamplingParams& params_;
  bool counts_ = false;  // whether tokens are counted at all
  bool active_ = false;
  std::unordered_map<int32_t, Count> seen_;
};

}  // namespace pingti::runtime
