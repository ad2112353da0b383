// Choice: one answer of a request in the making: its sampler, its text and why it ended. Request:
// what its answers share. Owned by the engine's loop; one thread, except that samplers of different
// choices may run at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/request.h"
#include "runtime/sampler.h"
#include "runtime/sequence.h"
#include "runtime/stop_matcher.h"
#include "text/detokenizer.h"
#include "text/tokenizer.h"

namespace pingti::runtime {

class Choice;
using Clock = std::chrono::steady_clock;

struct ActiveRequest {
  GenerateRequest request;
  std::shared_ptr<EventSink> sink;
  uint64_t seed = 0;
  int32_t length_max = 0;                        // tokens of prompt and answer
  std::vector<std::unique_ptr<Choice>> choices;  // [best_of]; the first computes the prompt
  int32_t choices_open = 0;                      // not yet ended
  int32_t cached_tokens = 0;
  std::vector<TokenInfo> prompt_infos;  // where prompt_logprobs are asked for
  Status failure;
  Clock::time_point arrived;
  std::optional<Clock::time_point> started;  // first rows in a step
  std::optional<Clock::time_point> first_token;

  bool buffers() const { return request.best_of > request.n; }
};

class Choice final {
 public:
  Choice(ActiveRequest& request, int32_t index, std::shared_ptr<const text::Tokenizer> tokenizer);

  // The next token was drawn; returns this step's news. A delta with a finish reason is the last.
  Delta Take(SampledToken sampled);
  // Ends the answer for a reason of ours.
  Delta End(FinishReason reason);

  ActiveRequest& request() { return request_; }
  Sampler& sampler() { return sampler_; }
  int32_t index() const { return index_; }
  bool ended() const { return reason_ != FinishReason::kNone; }
  FinishReason reason() const { return reason_; }
  int32_t tokens() const { return tokens_; }
  // Of the answer; what best_of compares.
  double mean_logprob() const { return tokens_ == 0 ? -1e30 : logprob_sum_ / tokens_; }

  Sequence* maybe_sequence = nullptr;  // null before the fork and after the end
  Delta collected;                     // where the request buffers
  Clock::time_point last_token;

 private:
  bool IsEnd(int32_t token) const;
  void TakeText(int32_t token, Delta& delta);

  ActiveRequest& request_;
  int32_t index_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  Sampler sampler_;
  text::Detokenizer detokenizer_;
  StopMatcher stops_;
  int32_t tokens_ = 0;
  double logprob_sum_ = 0;
  FinishReason reason_ = FinishReason::kNone;
};

}  // namespace pingti::runtime
