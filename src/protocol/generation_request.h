// Bodies of /v1/chat/completions, /v1/completions, /v1/summarize, /tokenize and /detokenize as checked values. Pure functions: text in,
// values or an error naming the field out. Nothing of a body is trusted.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/backend.h"

namespace pingti::protocol {

struct StreamOptions {
  bool stream = false;
  bool include_usage = false;
};

struct ChatRequest {
  ChatInput input;
  GenerateOptions options;
  StreamOptions stream;
  bool logprobs = false;
  bool tokens_as_ids = false;     // return_tokens_as_token_ids: "token_id:5" instead of the text
  bool echo = false;              // vLLM: the last message's text before the answer
};

struct CompletionRequest {
  std::vector<Prompt> prompts;    // at least one
  GenerateOptions options;
  StreamOptions stream;
  bool echo = false;
  bool logprobs = false;
  bool tokens_as_ids = false;
};

struct SummarizeRequest {
  std::string input;
  std::string instruction;                // empty: ours
  std::optional<int64_t> chunk_tokens;    // of the text in one piece
  GenerateOptions options;
  StreamOptions stream;
};

struct TokenizeRequest {
  bool chat = false;
  std::string prompt;
  ChatInput input;
  TokenizeOptions options;
};

struct DetokenizeRequest {
  std::vector<int32_t> tokens;
  std::string model;
};

struct RequestLimits {
  int32_t choices_max = 128;      // n, best_of and prompts times n
  size_t messages_max = 10'000;
};

Result<ChatRequest> ParseChatRequest(std::string_view body, const RequestLimits& limits);
Result<CompletionRequest> ParseCompletionRequest(std::string_view body, const RequestLimits& limits);
Result<SummarizeRequest> ParseSummarizeRequest(std::string_view body, const RequestLimits& limits);
Result<TokenizeRequest> ParseTokenizeRequest(std::string_view body, const RequestLimits& limits);
Result<DetokenizeRequest> ParseDetokenizeRequest(std::string_view body);

}  // namespace pingti::protocol
