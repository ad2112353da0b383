// Generation: what the endpoints that generate have in common: starting the prompts of one request, cancelling them when
// the client goes away, counting, the frame of bodies and chunks, and the end with usage, error or [DONE]. A derived
// class writes what is its dialect's own.
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
  // How a dialect names its answers.
  struct Names {
    const char* id_prefix;     // "chatcmpl-"
    const char* object;        // "chat.completion"
    const char* chunk_object;  // "chat.completion.chunk"
  };
  // `model`: as the client named it; empty: the first that is served.
  Generation(Call call, protocol::StreamOptions stream, const std::string& model, const Names& names);
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
  // All prompts have ended well: the last events before [DONE], or the whole body. Both may build on these.
  virtual std::string StreamEnd();  // the usage, where asked for
  virtual json::object Body() = 0;
  // Of what Start gave. On any thread.
  virtual void Cancel(const std::string& ticket) { call_.context->backend.Cancel(ticket); }

  // {"id", "object", "created", "model", "system_fingerprint"}
  json::object Head(const char* object) const;
  // The body of an answer with these choices.
  json::object BodyOf(json::array choices) const;
  // One event of one choice; `fields` and `logprobs` are JSON: "\"text\":\"a\"" and "null". Made for every token of
  // every stream, so that its unchanging text is made once.
  std::string Chunk(size_t index, std::string_view fields, std::string_view logprobs,
                    protocol::FinishReason finish = protocol::FinishReason::kNone, const std::string& stop_text = {}) const;

  void Send(std::string events) { call_.exchange->Write(std::move(events)); }
  bool streaming() const { return stream_.stream; }
  const protocol::StreamOptions& stream_options() const { return stream_; }
  const protocol::Usage& usage() const { return usage_; }
  uint64_t seed() const { return seed_; }
  const Call& call() const { return call_; }

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
  Names names_;
  int64_t created_;
  std::string chunk_head_;             // of every event of a stream
  std::string chunk_tail_;
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
  uint64_t seed_ = 0;                  // of the last prompt that ended
  protocol::FinishReason reason_ = protocol::FinishReason::kNone;
};

// "data: {...}\n\n"
std::string SseEvent(const json::value& value);

}  // namespace pingti::endpoints
