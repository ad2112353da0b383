// EngineSink: carries one request's events from the engine's thread to the listener's executor and translates them
// there. The engine only appends to a list; several steps that the executor has not yet seen become one delta, so that a
// busy machine sends fewer, larger pieces.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "dialects/reasoning.h"
#include "protocol/backend.h"
#include "runtime/request.h"
#include "text/tokenizer.h"

namespace pingti::server {

class EngineSink final : public runtime::EventSink, public std::enable_shared_from_this<EngineSink> {
 public:
  struct Options {
    std::shared_ptr<const text::Tokenizer> tokenizer;
    int32_t choices = 1;
    bool logprobs = false;         // tokens are delivered
    dialects::ReasoningSplitter::Start thinking = dialects::ReasoningSplitter::Start::kPlain;
    std::shared_ptr<std::atomic<int32_t>> under_way;  // one less at the end
  };
  EngineSink(protocol::Listener listener, Options options);

  // On the engine's thread.
  void OnDelta(runtime::Delta delta) override;
  void OnFinished(runtime::Finished finished) override;

 private:
  void Wake(bool was_empty);
  // On the executor.
  void Deliver();
  // Adds one step's to `out`, of the same choice. Step by step, so that each token is counted where it belongs.
  void Translate(runtime::Delta delta, protocol::Delta& out);
  void TranslateEnd(const runtime::Finished& finished);
  protocol::TokenInfo ToToken(const runtime::TokenInfo& info) const;
  protocol::TokenLogprob ToLogprob(int32_t token, float logprob) const;

  protocol::Listener listener_;
  Options options_;
  std::vector<dialects::ReasoningSplitter> splitters_;  // [choices]
  int64_t reasoning_tokens_ = 0;

  std::mutex mutex_;                                    // guards the two below
  std::vector<runtime::Delta> deltas_;
  std::optional<runtime::Finished> finished_;
};

}  // namespace pingti::server
