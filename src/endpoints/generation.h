// Generation: what chat and classic completions have in common: starting the prompts of one request, cancelling them
// when the client goes away, counting, and the end with usage, error or [DONE]. A derived class writes the dialect.
//
// Deltas and the virtual methods run on the exchange's thread; Begin on the request's.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "endpoints/route.h"

namespace pingti::endpoints {

class Generation : public std::enable_shared_from_this<Generation> {
 public:
  Generation(Call call, protocol::StreamOptions stream, std::string model);
  virtual ~Generation() = default;

  // Starts prompt 0, 1 ... with `start(prompt, listener)`. Where one is refused, the others are cancelled and the
  // client hears the error.
  using Start = std::function<Result<std::string>(size_t prompt, protocol::Listener listener)>;
  void Begin(size_t prompts, const Start& start);

 protected:
  // The first bytes of a stream, before any delta.
  virtual std::string StreamStart() { return {}; }
  virtual void OnDelta(size_t prompt, protocol::Delta delta) = 0;
  // One prompt's end (its status is ok).
  virtual void OnPromptFinished(size_t prompt, const protocol::Finished& finished) = 0;
  // All prompts have ended well: the last events before [DONE], or the whole body.
  virtual std::string StreamEnd() { return {}; }
  virtual json::object Body() = 0;

  void Send(std::string events) { call_.exchange->Write(std::move(events)); }
  bool streaming() const { return stream_.stream; }
  const protocol::StreamOptions& stream_options() const { return stream_; }
  const protocol::Usage& usage() const { return usage_; }
  const std::string& model() const { return model_; }
  int64_t created() const { return created_; }
  const Call& call() const { return call_; }
  std::string SystemFingerprint() const { return "fp_pingti_" + call_.context->version; }

 private:
  class PromptSink;

  // Before the answer has begun, events wait in early_.
  void HandleDelta(size_t prompt, protocol::Delta delta);
  void HandleFinished(size_t prompt, protocol::Finished finished);
  void Begun();
  void CancelAll();
  void End();
  void StartStream();

  Call call_;
  protocol::StreamOptions stream_;
  std::string model_;
  int64_t created_;
  std::mutex mutex_;                   // guards tickets_ and cancelled_
  std::vector<std::string> tickets_;
  bool cancelled_ = false;
  // The exchange's thread only.
  size_t left_ = 0;                    // prompts that have not ended
  bool begun_ = false;
  std::vector<std::function<void()>> early_;
  bool first_token_seen_ = false;
  Status failure_;
  protocol::Usage usage_;
  protocol::FinishReason reason_ = protocol::FinishReason::kNone;
};

// "data: {...}\n\n"
std::string SseEvent(const json::value& value);

}  // namespace pingti::endpoints
