// SamplingParams: how the next token is chosen. Names, ranges and defaults are those of the OpenAI API and vLLM;
// a default of "off" leaves the distribution unchanged. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace pingti::runtime {

struct SamplingParams {
  float temperature = 1.0F;            // 0: greedy; [0, 2]
  int32_t top_k = 0;                   // 0 or -1: off
  float top_p = 1.0F;                  // (0, 1]; 1: off
  float min_p = 0.0F;                  // [0, 1]; 0: off
  float typical_p = 1.0F;              // (0, 1]; 1: off
  float top_n_sigma = -1.0F;           // <= 0: off
  float repetition_penalty = 1.0F;     // > 0; 1: off; over prompt and answer (Keskar et al. 2019)
  float presence_penalty = 0.0F;       // [-2, 2]; over the answer
  float frequency_penalty = 0.0F;      // [-2, 2]; over the answer
  float dry_multiplier = 0.0F;         // 0: off
  float dry_base = 1.75F;
  int32_t dry_allowed_length = 2;
  int32_t dry_penalty_last_n = -1;     // -1: the whole context
  std::vector<std::string> dry_sequence_breakers = {"\n", ":", "\"", "*"};
  float xtc_probability = 0.0F;        // [0, 1]; 0: off
  float xtc_threshold = 0.1F;          // [0, 1]; over 0.5: off
  int32_t mirostat = 0;                // 0: off, 2: mirostat 2
  float mirostat_tau = 5.0F;
  float mirostat_eta = 0.1F;
  std::vector<std::pair<int32_t, float>> logit_bias;  // token id, added to its logit; [-100, 100]
  std::optional<uint64_t> seed;        // drawn, and reported, when absent
  std::vector<std::string> stop;       // texts that end the answer
  bool include_stop_text = false;      // keep the stop text in the answer
  std::vector<int32_t> stop_token_ids;
  int32_t min_tokens = 0;              // no end token and no stop before this many
  int32_t max_tokens = 0;              // 0: as many as the context holds
  bool ignore_eos = false;
  int32_t top_logprobs = -1;           // -1: no logprobs; 0: of the chosen token only; else also the best [1, 20]
  int32_t prompt_logprobs = -1;        // the same for the prompt's tokens
  bool skip_special_tokens = true;     // control tokens are left out of the text
};

// An error names the field, the value and the allowed range.
Status Validate(const SamplingParams& params, int32_t vocab_size);

}  // namespace pingti::runtime
