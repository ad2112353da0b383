// MapReduce: a summary of a text of any length. The text is cut into chunks, each is summarised by
// a chat of its own, a few at once; the summaries, joined, are treated the same way until one chunk
// is left, whose summary is the answer and is told as it comes. So neither the KV cache nor the
// number of requests at once grows with the text.
//
// All state belongs to the listener's executor; what tokenises runs on `run_heavy`. Keeps itself
// alive until it has told its end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/backend.h"
#include "protocol/generation_request.h"

namespace pingti::endpoints {

class MapReduce final : public std::enable_shared_from_this<MapReduce> {
 public:
  // False: no room for the task.
  using RunHeavy = std::function<bool(std::function<void()> task)>;
  static constexpr int32_t kAtOnce = 4;  // chats of one request
  static constexpr int32_t kLevelsMax =
      24;  // each level is at most about a quarter as long as the one before

  // `backend` outlives this.
  MapReduce(protocol::Backend& backend, RunHeavy run_heavy, protocol::SummarizeRequest request,
            protocol::Listener listener);
  // Checks what the client can be told at once (model, room in the context) and begins. On any
  // thread.
  Status Start();
  void Cancel();  // on any thread; the listener hears Cancelled

  // At the end: chunks of the text, and levels of summaries.
  int64_t chunks() const { return chunks_; }
  int32_t levels() const { return level_; }

 private:
  class PartSink;

  Status FitChunks();
  protocol::ChatInput Messages(std::string_view text) const;
  void Heavy(std::function<void()> task);
  void Split();  // of text_, then Launch
  void SplitDone(std::vector<std::string> chunks);
  void Launch();  // as many parts as may run at once
  void StartPart(size_t part);
  void PartStarted(Result<std::string> ticket);
  void PartText(size_t part, protocol::Delta delta);
  void PartFinished(size_t part, protocol::Finished finished);
  void Fail(Status status);
  void EndWhenQuiet();

  protocol::Backend& backend_;
  RunHeavy run_heavy_;
  protocol::SummarizeRequest request_;
  protocol::Listener listener_;
  int64_t chunk_tokens_ = 0;
  int64_t part_tokens_max_ = 0;     // of the summary of one of several chunks
  std::string text_;                // of this level
  std::vector<std::string> parts_;  // [chunks of this level]: the chunk, then its summary
  std::vector<bool> started_;       // [chunks of this level]
  std::vector<std::string> tickets_;
  size_t next_ = 0;
  size_t running_ = 0;
  size_t unfinished_ = 0;  // of this level
  int64_t chunks_ = 0;
  int32_t level_ = 0;
  Status failure_;
  protocol::Usage usage_;
  uint64_t seed_ = 0;
};

}  // namespace pingti::endpoints
