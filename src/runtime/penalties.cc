#include "runtime/penalties.h"

namespace pingti::runtime {

Penalties::Penalties(const SamplingParams& params, std::span<const int32_t> prompt)
    : params_(params) {
  counts_ = params.repetition_penalty != 1.0F || params.presence_penalty != 0.0F ||
            params.frequency_penalty != 0.0F;
  active_ = counts_ || !params.logit_bias.empty();
  if (params.repetition_penalty == 1.0F) return;
  for (const int32_t token : prompt) seen_.try_emplace(token);
}

void Penalties::Accept(int32_t token) {
  if (counts_) ++seen_[token].in_answer;
}

void Penalties::Apply(std::span<float> logits) const {
  for (const auto& [token, count] : seen_) {
    float& logit = logits[static_cast<size_t>(token)];
    logit = logit > 0 ? logit / params_.repetition_penalty : logit * params_.repetition_penalty;
    if (count.in_answer == 0) continue;
    logit -= params_.frequency_penalty * static_cast<float>(count.in_answer);
    logit -= params_.presence_penalty;
  }
  for (const auto& [token, bias] : params_.logit_bias) logits[static_cast<size_t>(token)] += bias;
}

}  // namespace pingti::runtime
