// SamplingParams as a client sends them, and their one validator: every endpoint and dialect uses it, so that a field
// has one meaning, one range and one error text. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace pingti::protocol {

// Absent: the model's default.
struct SamplingParams {
  std::optional<float> temperature;          // 0: greedy; [0, 2]
  std::optional<int32_t> top_k;              // 0 or -1: off
  std::optional<float> top_p;                // [0, 1]
  std::optional<float> min_p;                // [0, 1]
  std::optional<float> typical_p;            // (0, 1]
  std::optional<float> top_n_sigma;
  std::optional<float> repetition_penalty;   // (0, 10]
  std::optional<float> presence_penalty;     // [-2, 2]
  std::optional<float> frequency_penalty;    // [-2, 2]
  std::optional<float> dry_multiplier;
  std::optional<float> dry_base;
  std::optional<int32_t> dry_allowed_length;
  std::optional<int32_t> dry_penalty_last_n;
  std::optional<std::vector<std::string>> dry_sequence_breakers;
  std::optional<float> xtc_probability;
  std::optional<float> xtc_threshold;
  std::optional<int32_t> mirostat;           // 0 or 2
  std::optional<float> mirostat_tau;
  std::optional<float> mirostat_eta;
  std::vector<std::pair<int32_t, float>> logit_bias;  // token id, [-100, 100]
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
  std::vector<int32_t> stop_token_ids;
  bool include_stop_text = false;
  bool ignore_eos = false;
  bool skip_special_tokens = true;
  std::optional<int32_t> min_tokens;
  std::optional<int32_t> max_tokens;
  std::optional<int32_t> max_total_tokens;   // prompt and answer together
  int32_t top_logprobs = -1;                 // -1: no logprobs; set by the endpoint (two dialects)
  int32_t prompt_logprobs = -1;
};

struct Choices {
  int32_t n = 1;
  int32_t best_of = 1;
};

// Of a request's body. Unknown fields are ignored; a wrong type or value is an InvalidArgument that names the field.
Result<SamplingParams> ParseSamplingParams(const json::object& body);
// n and best_of, at most `choices_max`.
Result<Choices> ParseChoices(const json::object& body, int32_t choices_max);
// Fields that would constrain the answer's form and cannot yet be honoured (response_format other than text, grammars,
// forced tools): an error, never silently ignored.
Status RefuseUnsupportedConstraints(const json::object& body);

}  // namespace pingti::protocol
