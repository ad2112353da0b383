// ChatBackend: what answers in a terminal chat: the model in this process, or a server. One thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "local_engine.h"
#include "runtime/sampling.h"

namespace pingti::apps {

// A piece of an answer; reasoning is what the model says to itself before it.
using OnPiece = std::function<void(std::string_view text, bool reasoning)>;

struct ChatReply {
  std::string content;  // without the reasoning
  int32_t prompt_tokens = 0;
  int32_t completion_tokens = 0;
  double first_token_seconds = 0;
  double seconds = 0;
  bool cancelled = false;
  bool cut = false;  // by max_tokens or the context
};

class ChatBackend {
 public:
  virtual ~ChatBackend() = default;
  virtual std::string name() const = 0;
  virtual const runtime::SamplingParams& defaults() const = 0;
  // messages are OpenAI's. A cancelled answer is no error.
  virtual Result<ChatReply> Ask(const json::array& messages,
                                const runtime::SamplingParams& sampling, const OnPiece& on_piece,
                                const std::atomic<bool>* maybe_cancel) = 0;
};

std::unique_ptr<ChatBackend> MakeLocalChat(std::unique_ptr<LocalEngine> engine);
// `url`: "http://host:port"; asks it for its first model. `key` may be empty.
Result<std::unique_ptr<ChatBackend>> ConnectChat(const std::string& url, const std::string& key);

}  // namespace pingti::apps
