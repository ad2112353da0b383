// DRY ("don't repeat yourself", p-e-w 2024): a token that would continue a repetition of the text's
// end is made less likely, the more the longer the repetition: multiplier * base^(length -
// allowed_length). Repetitions do not reach across sequence breakers. Per answer; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/sampling.h"

namespace pingti::runtime {

// The bytes that a token adds to a text.
using TokenText = std::function<std::string_view(int32_t token)>;

class Dry final {
 public:
  Dry(const SamplingParams& params, TokenText token_text, std::span<const int32_t> prompt);

  bool active() const { return params_.dry_multiplier > 0; }
  void Accept(int32_t token);
  // logits [vocab], in place; `history` is the prompt and the answer so far.
  void Apply(std::span<const int32_t> history, std::span<float> logits) const;

 private:
  const SamplingParams& params_;
  TokenText token_text_;
  size_t breaker_bytes_max_ = 0;
  std::string tail_;           // the text's last bytes, where a breaker may have begun
  int64_t since_breaker_ = 0;  // tokens since the last one that completed a breaker
};

}  // namespace pingti::runtime
