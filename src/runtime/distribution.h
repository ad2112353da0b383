// One row of logits as a distribution: its maximum, its log-sum-exp and its best tokens, without
// sorting the vocabulary. Free functions over plain arrays, one thread; a vocabulary is 10^5 tokens
// and this runs for each of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pingti::runtime {

struct Candidate {
  int32_t token = -1;
  float logit = 0;
};

// exp(x) for x <= 0 to about 2 ulp, branch-free so that loops over it vectorise; 0 below -87.
float FastExp(float x);

// sum over i of exp((logits[i] - max) * scale), scale > 0 and max >= all logits. One pass.
double SumExp(std::span<const float> logits, float max, float scale);

// log(sum over i of exp(logits[i]))
double LogSumExp(std::span<const float> logits, float max);

// The tokens of a row in descending order of logit (of equal ones the lower id first), sorted only
// as far as asked for. NaN counts as minus infinity. Reused from row to row: keeps its memory. The
// row is borrowed until the next Reset.
class Ranking final {
 public:
  void Reset(std::span<const float> logits);

  int32_t size() const { return static_cast<int32_t>(logits_.size()); }
  std::span<const float> logits() const { return logits_; }
  // The best token; -1 where no logit is a number above minus infinity. No sorting.
  int32_t best() const { return best_; }
  float max() const { return max_; }

  // At least the `count` best (all when there are fewer), in order. Costs a pass and the sorting of
  // about `count`.
  std::span<const Candidate> Top(int32_t count);
  // Those with a logit >= threshold, in order.
  std::span<const Candidate> AtLeast(float threshold);

 private:
  void Collect(float threshold);

  std::span<const float> logits_;
  std::vector<float> block_max_;  // of each run of kBlock logits
  std::vector<float> scratch_;
  std::vector<Candidate> sorted_;  // all with logit >= sorted_threshold_
  float sorted_threshold_ = 0;
  float max_ = 0;
  int32_t best_ = -1;
  bool sorted_valid_ = false;
};

}  // namespace pingti::runtime
