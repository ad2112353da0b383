// The cuts of a distribution, in this order: temperature, top_n_sigma, top_k, typical_p, top_p,
// min_p, xtc.
//
// Temperature comes first, as in OpenAI's API and vLLM, so that top_p, min_p and typical_p see the
// scaled distribution (llama.cpp's default scales last). top_k and top_n_sigma do not depend on it.
// Each cut works on what the one before left, renormalised, and leaves at least one token. Free
// functions, one thread.
#pragma once

#include <span>
#include <vector>

#include "runtime/distribution.h"
#include "runtime/sampling.h"

namespace pingti::runtime {

// What is left to draw from, in descending order of probability; weights are relative (they need
// not add up to 1).
struct Kept {
  bool all = true;                    // nothing was cut: draw from the whole row
  std::vector<Candidate> candidates;  // otherwise these
  std::vector<float> weights;         // exp((logit - max) / temperature), of candidates
};

// `xtc_draw` in [0, 1) decides whether xtc applies this time. temperature > 0.
void CutDistribution(const SamplingParams& params, double xtc_draw, Ranking& ranking, Kept& out);

// The candidate (an index) at `draw` in [0, 1) of the weights.
size_t DrawIndex(std::span<const float> weights, double draw);

// The token at `draw` of the whole row's softmax(logits * scale); -1 where rounding leaves none.
int32_t DrawFromRow(std::span<const float> logits, float max, float scale, double draw);

}  // namespace pingti::runtime
