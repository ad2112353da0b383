// TokenBudget: how many tokens one step computes and who gets them: one for each sequence that only
// needs its next token, then pieces of prompts from what is left. A value; lives for one step.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/kv_cache.h"

namespace pingti::runtime {

class TokenBudget final {
 public:
  struct Limits {
    int32_t tokens = 0;  // of the step, all in all
    int32_t prompt_tokens =
        0;  // of the step that belong to prompts (sequences that are behind by more than one)
    int32_t prompt_chunk = 0;  // of one sequence
  };
  explicit TokenBudget(const Limits& limits)
      : tokens_left_(limits.tokens),
        prompt_tokens_left_(std::min(limits.tokens, limits.prompt_tokens)),
        prompt_chunk_(limits.prompt_chunk) {}

  // How many of `behind` tokens a sequence may have computed now. A piece that does not reach the
  // prompt's end is cut where a block ends, so that the next one can be found in the prefix cache.
  int32_t Offer(int32_t tokens_computed, int32_t behind) const {
    if (behind == 1) return std::min(tokens_left_, 1);
    const int32_t most = std::min({behind, prompt_chunk_, prompt_tokens_left_, tokens_left_});
    if (most == behind) return most;
    const int32_t past_block_end = (tokens_computed + most) % ops::kBlockTokens;
    return most > past_block_end ? most - past_block_end : most;
  }
  void Take(int32_t tokens, bool of_prompt) {
    tokens_left_ -= tokens;
    if (of_prompt) prompt_tokens_left_ -= tokens;
  }
  int32_t tokens_left() const { return tokens_left_; }
  int32_t prompt_tokens_left() const { return std::min(tokens_left_, prompt_tokens_left_); }

 private:
  int32_t tokens_left_;
  int32_t prompt_tokens_left_;
  int32_t prompt_chunk_;
};

}  // namespace pingti::runtime
