#include "runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/random.h"

namespace pingti::runtime {
namespace {

// Draws of one position.
constexpr uint32_t kTokenDraw = 0;
constexpr uint32_t kXtcDraw = 1;

void FillLogprobs(Ranking& ranking, int32_t token, int32_t top, float& logprob,
                  std::vector<TokenLogprob>& out) {
  const double log_sum = LogSumExp(ranking.logits(), ranking.max());
  const auto logprob_of = [log_sum](float logit) {
    return static_cast<float>(static_cast<double>(logit) - log_sum);
  };
  logprob = logprob_of(ranking.logits()[static_cast<size_t>(token)]);
  if (top <= 0) return;
  const std::span<const Candidate> best = ranking.Top(std::min(top, ranking.size()));
  const size_t count = std::min(best.size(), static_cast<size_t>(top));
  out.reserve(count);
  for (const Candidate& candidate : best.first(count))
    out.push_back({candidate.token, logprob_of(candidate.logit)});
}

}  // namespace

TokenInfo RowLogprobs(std::span<const float> logits, int32_t token, int32_t top,
                      SamplerScratch& scratch) {
  TokenInfo info;
  info.token = token;
  scratch.ranking.Reset(logits);
  if (scratch.ranking.best() >= 0)
    FillLogprobs(scratch.ranking, token, top, info.logprob, info.top);
  return info;
}

Sampler::Sampler(const Setup& setup)
    : params_(setup.params),
      seed_(setup.seed),
      choice_(setup.choice),
      needs_logprob_(setup.needs_logprob || setup.params.top_logprobs >= 0),
      penalties_(setup.params, setup.prompt),
      dry_(setup.params, setup.token_text, setup.prompt),
      mirostat_mu_(2.0F * setup.params.mirostat_tau) {
  if (params_.min_tokens == 0) return;
  end_tokens_ = setup.end_tokens;
  end_tokens_.insert(end_tokens_.end(), params_.stop_token_ids.begin(),
                     params_.stop_token_ids.end());
}

void Sampler::Accept(int32_t token) {
  ++position_;
  penalties_.Accept(token);
  dry_.Accept(token);
}

bool Sampler::ChangesLogits() const {
  return penalties_.active() || dry_.active() || position_ < params_.min_tokens;
}

SampledToken Sampler::Sample(std::span<const float> logits, std::span<const int32_t> history,
                             SamplerScratch& scratch) {
  SampledToken sampled;
  std::span<const float> changed = logits;
  if (ChangesLogits()) {
    scratch.logits.assign(logits.begin(), logits.end());
    penalties_.Apply(scratch.logits);
    dry_.Apply(history, scratch.logits);
    if (position_ < params_.min_tokens) {
      for (const int32_t token : end_tokens_) {
        scratch.logits[static_cast<size_t>(token)] = -std::numeric_limits<float>::infinity();
      }
    }
    changed = scratch.logits;
  }
  scratch.ranking.Reset(changed);
  if (scratch.ranking.best() < 0) return sampled;
  sampled.token = Draw(changed, scratch);
  if (!needs_logprob_) return sampled;
  if (changed.data() != logits.data()) scratch.ranking.Reset(logits);
  sampled.has_logprob = true;
  FillLogprobs(scratch.ranking, sampled.token, params_.top_logprobs, sampled.logprob, sampled.top);
  return sampled;
}

int32_t Sampler::Draw(std::span<const float> logits, SamplerScratch& scratch) {
  Ranking& ranking = scratch.ranking;
  if (greedy()) return ranking.best();
  const RandomPoint point{.seed = seed_, .choice = choice_, .position = position_};
  const double draw = UniformAt(point, kTokenDraw);
  if (params_.mirostat == 2) return DrawMirostat(scratch, draw);
  CutDistribution(params_, UniformAt(point, kXtcDraw), ranking, scratch.kept);
  if (!scratch.kept.all)
    return scratch.kept.candidates[DrawIndex(scratch.kept.weights, draw)].token;
  const int32_t token = DrawFromRow(logits, ranking.max(), 1.0F / params_.temperature, draw);
  return token >= 0 ? token : ranking.best();
}

// Basu et al. 2021, version 2: tokens whose surprise exceeds mu are cut; mu follows the surprise of
// what was drawn.
int32_t Sampler::DrawMirostat(SamplerScratch& scratch, double draw) {
  Ranking& ranking = scratch.ranking;
  const float scale = 1.0F / params_.temperature;
  const double total = SumExp(ranking.logits(), ranking.max(), scale);
  // -log2(exp((logit - max) * scale) / total) <= mu
  const double lowest = (std::log(total) - static_cast<double>(mirostat_mu_) * std::log(2.0)) /
                        static_cast<double>(scale);
  const float threshold = std::min(ranking.max(), ranking.max() + static_cast<float>(lowest));
  const std::span<const Candidate> candidates = ranking.AtLeast(threshold);
  std::vector<float>& weights = scratch.kept.weights;
  weights.clear();
  for (const Candidate& candidate : candidates)
    weights.push_back(FastExp((candidate.logit - ranking.max()) * scale));
  const size_t chosen = DrawIndex(weights, draw);
  const double kept = std::accumulate(weights.begin(), weights.end(), 0.0);
  const double surprise = std::log2(kept / std::max(static_cast<double>(weights[chosen]), 1e-38));
  mirostat_mu_ -= params_.mirostat_eta * (static_cast<float>(surprise) - params_.mirostat_tau);
  return candidates[chosen].token;
}

}  // namespace pingti::runtime
