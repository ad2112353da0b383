#include "runtime/choice.h"

#include <algorithm>

namespace pingti::runtime {

Choice::Choice(ActiveRequest& request, int32_t index,
               std::shared_ptr<const text::Tokenizer> tokenizer)
    : request_(request),
      index_(index),
      tokenizer_(std::move(tokenizer)),
      sampler_({.params = request.request.sampling,
                .seed = request.seed,
                .choice = index,
                .needs_logprob = request.buffers(),
                .end_tokens = {tokenizer_->end_tokens().begin(), tokenizer_->end_tokens().end()},
                .prompt = request.request.prompt,
                .token_text = [keep = tokenizer_.get()](
                                  int32_t token) { return keep->TokenBytes(token, false); }}),
      detokenizer_(tokenizer_, !request.request.sampling.skip_special_tokens),
      stops_(request.request.sampling.stop, request.request.sampling.include_stop_text) {}

bool Choice::IsEnd(int32_t token) const {
  const auto contains = [token](const auto& list) {
    return std::find(list.begin(), list.end(), token) != list.end();
  };
  const SamplingParams& params = request_.request.sampling;
  return contains(params.stop_token_ids) ||
         (!params.ignore_eos && contains(tokenizer_->end_tokens()));
}

Delta Choice::Take(SampledToken sampled) {
  if (sampled.token < 0) return End(FinishReason::kError);
  const SamplingParams& params = request_.request.sampling;
  ++tokens_;
  logprob_sum_ += static_cast<double>(sampled.logprob);
  sampler_.Accept(sampled.token);
  Delta delta;
  delta.choice = index_;
  delta.tokens.push_back({sampled.token, sampled.logprob, std::move(sampled.top)});
  if (IsEnd(sampled.token)) {
    delta.finish = FinishReason::kStop;
    const auto& stops = params.stop_token_ids;
    if (std::find(stops.begin(), stops.end(), sampled.token) != stops.end()) {
      delta.stop_text = tokenizer_->TokenBytes(sampled.token, true);
    }
    delta.text = stops_.Flush() + detokenizer_.Finish();
    if (params.include_stop_text) delta.text += delta.stop_text;
  } else {
    TakeText(sampled.token, delta);
  }
  const auto length = static_cast<int32_t>(request_.request.prompt.size()) + tokens_;
  if (delta.finish == FinishReason::kNone && length >= request_.length_max) {
    delta.finish = FinishReason::kLength;
    delta.text += stops_.Flush() + detokenizer_.Finish();
  }
  reason_ = delta.finish;
  return delta;
}

void Choice::TakeText(int32_t token, Delta& delta) {
  std::string text = detokenizer_.Append(token);
  if (tokens_ < request_.request.sampling.min_tokens) {  // too early to stop
    delta.text = std::move(text);
    return;
  }
  StopMatcher::Found found = stops_.Append(text);
  delta.text = std::move(found.text);
  if (!found.stopped) return;
  delta.finish = FinishReason::kStop;
  delta.stop_text = std::move(found.stop_text);
}

Delta Choice::End(FinishReason reason) {
  reason_ = reason;
  Delta delta;
  delta.choice = index_;
  delta.text = stops_.Flush() + detokenizer_.Finish();
  delta.finish = reason;
  return delta;
}

}  // namespace pingti::runtime
