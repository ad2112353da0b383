// Sampler: draws the next token of one answer from a row of logits. Order: logit_bias, penalties,
// DRY and the ban of end tokens change logits; then filters.h cuts and draws. Randomness is a
// function of (seed, choice, position) only.
//
// One per choice; Sample of different choices may run on different threads at once, each with a
// scratch of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/distribution.h"
#include "runtime/dry.h"
#include "runtime/filters.h"
#include "runtime/penalties.h"
#include "runtime/request.h"
#include "runtime/sampling.h"

namespace pingti::runtime {

// Working memory of one thread, kept from row to row.
struct SamplerScratch {
  std::vector<float> logits;  // the changed row
  Ranking ranking;
  Kept kept;
};

struct SampledToken {
  int32_t token = -1;  // -1: no logit was a number above minus infinity
  bool has_logprob = false;
  float logprob = 0;  // of the unmodified distribution
  std::vector<TokenLogprob> top;
};

// The log-probability of `token` and the `top` best of a row's unmodified distribution.
TokenInfo RowLogprobs(std::span<const float> logits, int32_t token, int32_t top,
                      SamplerScratch& scratch);

class Sampler final {
 public:
  struct Setup {
    const SamplingParams& params;  // outlives the sampler
    uint64_t seed = 0;
    int32_t choice = 0;
    bool needs_logprob = false;            // even where params ask for none (best_of)
    std::vector<int32_t> end_tokens = {};  // banned before min_tokens, with stop_token_ids
    std::span<const int32_t> prompt = {};
    TokenText token_text = {};  // needed where DRY is on
  };
  explicit Sampler(const Setup& setup);

  // `history`: the prompt and the answer so far; logits [vocab], not changed.
  SampledToken Sample(std::span<const float> logits, std::span<const int32_t> history,
                      SamplerScratch& scratch);
  // `token` is the answer's next one.
  void Accept(int32_t token);

  // Whether the draw needs more than the row's maximum.
  bool greedy() const { return params_.temperature <= 0; }

 private:
  int32_t Draw(std::span<const float> logits, SamplerScratch& scratch);
  int32_t DrawMirostat(SamplerScratch& scratch, double draw);
  bool ChangesLogits() const;

  const SamplingParams& params_;
  uint64_t seed_;
  int32_t choice_;
  bool needs_logprob_ = false;
  std::vector<int32_t> end_tokens_;
  Penalties penalties_;
  Dry dry_;
  int32_t position_ = 0;   // tokens of the answer so far
  float mirostat_mu_ = 0;  // bits
};

}  // namespace pingti::runtime
