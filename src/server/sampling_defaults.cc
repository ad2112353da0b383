// The engine's sampling parameters from the model's defaults and the client's wishes.
#include <algorithm>

#include "server/local_backend.h"

namespace pingti::server {

namespace {

// The API allows top_p 0, which means the same as the smallest positive value: the most probable token only.
constexpr float kTopPMin = 1e-6F;

template <typename T>
void Override(T& target, const std::optional<T>& wanted) {
  if (wanted) target = *wanted;
}

}  // namespace

Result<runtime::SamplingParams> ToEngineSampling(const runtime::SamplingParams& defaults,
                                                 const protocol::SamplingParams& wanted, int64_t prompt_tokens) {
  runtime::SamplingParams params = defaults;
  Override(params.temperature, wanted.temperature);
  Override(params.top_k, wanted.top_k);
  Override(params.top_p, wanted.top_p);
  params.top_p = std::max(params.top_p, kTopPMin);
  Override(params.min_p, wanted.min_p);
  Override(params.typical_p, wanted.typical_p);
  Override(params.top_n_sigma, wanted.top_n_sigma);
  Override(params.repetition_penalty, wanted.repetition_penalty);
  Override(params.presence_penalty, wanted.presence_penalty);
  Override(params.frequency_penalty, wanted.frequency_penalty);
  Override(params.dry_multiplier, wanted.dry_multiplier);
  Override(params.dry_base, wanted.dry_base);
  Override(params.dry_allowed_length, wanted.dry_allowed_length);
  Override(params.dry_penalty_last_n, wanted.dry_penalty_last_n);
  Override(params.dry_sequence_breakers, wanted.dry_sequence_breakers);
  Override(params.xtc_probability, wanted.xtc_probability);
  Override(params.xtc_threshold, wanted.xtc_threshold);
  Override(params.mirostat, wanted.mirostat);
  Override(params.mirostat_tau, wanted.mirostat_tau);
  Override(params.mirostat_eta, wanted.mirostat_eta);
  params.logit_bias = wanted.logit_bias;
  params.seed = wanted.seed;
  params.stop = wanted.stop;
  params.include_stop_text = wanted.include_stop_text;
  params.stop_token_ids.insert(params.stop_token_ids.end(), wanted.stop_token_ids.begin(), wanted.stop_token_ids.end());
  params.ignore_eos = wanted.ignore_eos;
  params.skip_special_tokens = wanted.skip_special_tokens;
  params.top_logprobs = wanted.top_logprobs;
  params.prompt_logprobs = wanted.prompt_logprobs;
  Override(params.min_tokens, wanted.min_tokens);
  Override(params.max_tokens, wanted.max_tokens);
  if (wanted.max_total_tokens) {
    const int64_t left = *wanted.max_total_tokens - prompt_tokens;
    if (left <= 0) {
      return InvalidArgument("The prompt has " + std::to_string(prompt_tokens) +
                                 " tokens, which leaves nothing of 'max_total_tokens', " +
                                 std::to_string(*wanted.max_total_tokens) + ".",
                             "max_total_tokens");
    }
    const auto bound = static_cast<int32_t>(left);
    params.max_tokens = params.max_tokens == 0 ? bound : std::min(params.max_tokens, bound);
  }
  return params;
}

}  // namespace pingti::server
