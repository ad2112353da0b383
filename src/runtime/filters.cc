#include "runtime/filters.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pingti::runtime {
namespace {

constexpr int32_t kFirstTop =
    256;  // candidates that top_p looks at first; then four times as many, and so on

// State of a cut: either the whole row (kept.all) or kept.candidates.
struct Cutter {
  const SamplingParams& params;
  Ranking& ranking;
  Kept& kept;
  float scale;  // 1 / temperature

  void Take(std::span<const Candidate> candidates) {
    kept.all = false;
    kept.candidates.assign(candidates.begin(), candidates.end());
  }
  float WeightOf(const Candidate& candidate) const {
    return FastExp((candidate.logit - ranking.max()) * scale);
  }
  void Weigh() {
    kept.weights.clear();
    for (const Candidate& candidate : kept.candidates) kept.weights.push_back(WeightOf(candidate));
  }
  void Resize(size_t count) {
    kept.candidates.resize(count);
    kept.weights.resize(count);
  }
  void TakeAll() {
    if (!kept.all) return;
    Take(ranking.Top(ranking.size()));
    Weigh();
  }
};

// Tang et al. 2024: logits within n standard deviations of the best.
void CutTopNSigma(Cutter& cutter) {
  const float n_sigma = cutter.params.top_n_sigma;
  if (n_sigma <= 0) return;
  double sum = 0;
  double squares = 0;
  size_t count = 0;
  for (const float logit : cutter.ranking.logits()) {
    if (!std::isfinite(logit)) continue;
    sum += static_cast<double>(logit);
    squares += static_cast<double>(logit) * static_cast<double>(logit);
    ++count;
  }
  const double mean = sum / static_cast<double>(count);
  const double sigma = std::sqrt(std::max(0.0, squares / static_cast<double>(count) - mean * mean));
  cutter.Take(cutter.ranking.AtLeast(cutter.ranking.max() - n_sigma * static_cast<float>(sigma)));
  cutter.Weigh();
}

void CutTopK(Cutter& cutter) {
  const int32_t k = cutter.params.top_k;
  if (k <= 0 || k >= cutter.ranking.size()) return;
  const auto count = static_cast<size_t>(k);
  if (cutter.kept.all) {
    cutter.Take(cutter.ranking.Top(k).first(count));
    cutter.Weigh();
  } else if (cutter.kept.candidates.size() > count) {
    cutter.Resize(count);
  }
}

// Meister et al. 2022: tokens whose surprise is nearest to the distribution's entropy, up to a mass
// of typical_p.
void CutTypical(Cutter& cutter) {
  const float p = cutter.params.typical_p;
  if (p >= 1.0F) return;
  cutter.TakeAll();
  Kept& kept = cutter.kept;
  const double total = std::accumulate(kept.weights.begin(), kept.weights.end(), 0.0);
  const auto surprise = [&](size_t i) {
    return -std::log(std::max(static_cast<double>(kept.weights[i]), 1e-38) / total);
  };
  double entropy = 0;
  for (size_t i = 0; i < kept.weights.size(); ++i)
    entropy += static_cast<double>(kept.weights[i]) / total * surprise(i);
  std::vector<size_t> order(kept.weights.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const double distance_a = std::abs(surprise(a) - entropy);
    const double distance_b = std::abs(surprise(b) - entropy);
    return distance_a != distance_b ? distance_a < distance_b : a < b;
  });
  double mass = 0;
  size_t count = 0;
  while (count < order.size() && mass < static_cast<double>(p) * total) {
    mass += static_cast<double>(kept.weights[order[count++]]);
  }
  order.resize(std::max<size_t>(1, count));
  std::sort(order.begin(), order.end());  // back to descending probability
  for (size_t i = 0; i < order.size(); ++i) {
    kept.candidates[i] = kept.candidates[order[i]];
    kept.weights[i] = kept.weights[order[i]];
  }
  cutter.Resize(order.size());
}

// How many of the best candidates reach `mass`; 0 where all of them together do not.
size_t PrefixOfMass(const Cutter& cutter, std::span<const Candidate> candidates, double mass) {
  double sum = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    sum += static_cast<double>(cutter.WeightOf(candidates[i]));
    if (sum >= mass) return i + 1;
  }
  return 0;
}

// Holtzman et al. 2019: the smallest set of best tokens with a mass of at least top_p.
void CutTopP(Cutter& cutter) {
  const auto p = static_cast<double>(cutter.params.top_p);
  if (p >= 1.0) return;
  Kept& kept = cutter.kept;
  if (!kept.all) {
    const double total = std::accumulate(kept.weights.begin(), kept.weights.end(), 0.0);
    const size_t count = PrefixOfMass(cutter, kept.candidates, p * total);
    if (count > 0) cutter.Resize(count);
    return;
  }
  const double total = SumExp(cutter.ranking.logits(), cutter.ranking.max(), cutter.scale);
  for (int32_t top = kFirstTop;; top *= 4) {
    const std::span<const Candidate> best =
        cutter.ranking.Top(std::min(top, cutter.ranking.size()));
    const size_t count = PrefixOfMass(cutter, best, p * total);
    if (count == 0 && top < cutter.ranking.size()) continue;
    cutter.Take(count == 0 ? best : best.first(count));
    cutter.Weigh();
    return;
  }
}

// Nguyen et al. 2024: tokens at least min_p times as probable as the best one.
void CutMinP(Cutter& cutter) {
  const float min_p = cutter.params.min_p;
  if (min_p <= 0) return;
  Kept& kept = cutter.kept;
  if (kept.all) {
    const float threshold = cutter.ranking.max() + std::log(min_p) / cutter.scale;
    cutter.Take(cutter.ranking.AtLeast(std::min(threshold, cutter.ranking.max())));
    cutter.Weigh();
    return;
  }
  const float least = min_p * kept.weights.front();
  size_t count = kept.weights.size();
  while (count > 1 && kept.weights[count - 1] < least) --count;
  cutter.Resize(count);
}

// Exclude top choices (p-e-w 2024): of the tokens at or above the threshold only the least probable
// stays.
void CutXtc(Cutter& cutter, double draw) {
  const SamplingParams& params = cutter.params;
  constexpr float kNeverTwoAbove = 0.5F;
  if (params.xtc_threshold > kNeverTwoAbove || draw >= static_cast<double>(params.xtc_probability))
    return;
  cutter.TakeAll();
  Kept& kept = cutter.kept;
  const double total = std::accumulate(kept.weights.begin(), kept.weights.end(), 0.0);
  const double least = static_cast<double>(params.xtc_threshold) * total;
  size_t above = 0;
  while (above < kept.weights.size() && static_cast<double>(kept.weights[above]) >= least) ++above;
  if (above < 2) return;
  const auto removed = static_cast<ptrdiff_t>(above - 1);
  kept.candidates.erase(kept.candidates.begin(), kept.candidates.begin() + removed);
  kept.weights.erase(kept.weights.begin(), kept.weights.begin() + removed);
}

}  // namespace

void CutDistribution(const SamplingParams& params, double xtc_draw, Ranking& ranking, Kept& out) {
  out.all = true;
  out.candidates.clear();
  out.weights.clear();
  Cutter cutter{
      .params = params, .ranking = ranking, .kept = out, .scale = 1.0F / params.temperature};
  CutTopNSigma(cutter);
  CutTopK(cutter);
  CutTypical(cutter);
  CutTopP(cutter);
  CutMinP(cutter);
  CutXtc(cutter, xtc_draw);
}

size_t DrawIndex(std::span<const float> weights, double draw) {
  const double target = draw * std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  size_t last = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    last = i;
    sum += static_cast<double>(weights[i]);
    if (sum > target) return i;
  }
  return last;  // rounding
}

int32_t DrawFromRow(std::span<const float> logits, float max, float scale, double draw) {
  constexpr size_t kChunk = 1024;
  const double target = draw * SumExp(logits, max, scale);
  double sum = 0;
  int32_t last = -1;
  for (size_t begin = 0; begin < logits.size(); begin += kChunk) {
    const std::span<const float> chunk =
        logits.subspan(begin, std::min(kChunk, logits.size() - begin));
    const double mass = SumExp(chunk, max, scale);
    if (mass <= 0) continue;
    if (sum + mass <= target) {
      sum += mass;
      continue;
    }
    for (size_t i = 0; i < chunk.size(); ++i) {
      const float weight = FastExp((chunk[i] - max) * scale);
      if (weight <= 0) continue;
      last = static_cast<int32_t>(begin + i);
      sum += static_cast<double>(weight);
      if (sum > target) return last;
    }
  }
  return last;
}

}  // namespace pingti::runtime
