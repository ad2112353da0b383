// Backend: what the endpoints ask for answers: an engine in this process, or another server. The one abstraction that
// endpoints/ stands on. All methods are thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/executor.h"
#include "base/json.h"
#include "base/result.h"
#include "protocol/sampling_params.h"

namespace pingti::protocol {

struct ModelCard {
  std::string id;
  int64_t created = 0;            // seconds since 1970
  std::string owned_by = "pingti";
  int64_t context_length = 0;     // tokens
  bool chat = false;              // has a chat template
  json::object details;           // architecture, parameters, kernels ...; for people
};

// Who asks.
struct Caller {
  std::string key_name;           // of the API key; "" where none is needed
  std::string cache_salt;         // keeps the cached prompts of different keys apart
};

struct GenerateOptions {
  std::string model;              // "": the default
  SamplingParams sampling;
  Choices choices;
  int32_t priority = 0;           // lower is earlier
  std::string cache_salt;         // the request's own, besides the caller's
  Caller caller;
};

struct ChatInput {
  json::array messages;           // contents are strings (or null); roles are checked
  json::array tools;
  bool add_generation_prompt = true;
  bool continue_final_message = false;
  json::object template_kwargs;
};

using Prompt = std::variant<std::string, std::vector<int32_t>>;

struct TokenLogprob {
  int32_t token = -1;
  std::string bytes;              // may be part of a UTF-8 character
  float logprob = 0;
};

struct TokenInfo {
  TokenLogprob chosen;
  std::vector<TokenLogprob> top;  // best first
};

enum class FinishReason : uint8_t { kNone, kStop, kLength, kCancelled, kError };

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t reasoning_tokens = 0;   // of the completion tokens
};

struct Delta {
  int32_t choice = 0;
  std::string reasoning;          // what the model thinks before it answers
  std::string text;
  std::vector<TokenInfo> tokens;  // where logprobs are asked for
  FinishReason finish = FinishReason::kNone;
  std::string stop_text;
};

struct Finished {
  Status status;
  Usage usage;
  uint64_t seed = 0;
  std::vector<TokenInfo> prompt;  // where prompt logprobs are asked for; [0] has no logprob
};

// A generation's news, called on the Executor given with it; OnFinished once and last.
class GenerationSink {
 public:
  virtual ~GenerationSink() = default;
  virtual void OnDelta(Delta delta) = 0;
  virtual void OnFinished(Finished finished) = 0;
};

// Where news go, and on whose thread.
struct Listener {
  std::shared_ptr<Executor> executor;
  std::shared_ptr<GenerationSink> sink;
};

struct TokenizeAnswer {
  std::vector<int32_t> tokens;
  std::vector<std::string> token_texts;  // where asked for
  int64_t context_length = 0;
};

struct TokenizeOptions {
  std::string model;
  bool add_special_tokens = true;
  bool return_token_texts = false;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::vector<ModelCard> Models() const = 0;

  // Start a generation and return its ticket for Cancel. Errors: NotFound (model), InvalidArgument (a field; a prompt
  // longer than the context, with both numbers), ResourceExhausted (queue full), Unavailable (draining).
  virtual Result<std::string> StartChat(ChatInput input, GenerateOptions options, Listener listener) = 0;
  virtual Result<std::string> StartCompletion(Prompt prompt, GenerateOptions options, Listener listener) = 0;
  // The generation ends within one step; its sink hears Cancelled. Unknown tickets are ignored.
  virtual void Cancel(const std::string& ticket) = 0;

  virtual Result<TokenizeAnswer> Tokenize(const std::string& text, const TokenizeOptions& options) = 0;
  virtual Result<TokenizeAnswer> TokenizeChat(const ChatInput& input, const TokenizeOptions& options) = 0;
  virtual Result<std::string> Detokenize(const std::vector<int32_t>& tokens, const std::string& model) = 0;

  // Ok, or why no answer can be given now: loading, draining, or a loop that stands still.
  virtual Status Ready() const = 0;
  // Brings gauges up to date before /metrics is rendered.
  virtual void UpdateMetrics() = 0;
  // Numbers for the console: requests, tokens, KV blocks, memory, kernels.
  virtual json::object Describe() const = 0;
};

}  // namespace pingti::protocol
