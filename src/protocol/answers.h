// Parts of answers in OpenAI's shape. Pure functions: values in, JSON out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/backend.h"

namespace pingti::protocol {

// "stop", "length" ...; null while the answer goes on.
json::value FinishReasonJson(FinishReason reason);
std::string_view FinishReasonName(FinishReason reason);  // for logs; "" for kNone

// {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details"}
json::object UsageJson(const Usage& usage);

// Bytes that may cut a character, as text; what is no UTF-8 becomes U+FFFD.
std::string LossyText(std::string_view bytes);

// How tokens are shown: their text, or "token_id:5".
enum class TokenForm : uint8_t { kText, kId };

// Chat's logprobs: {"content": [...], "refusal": null}
json::object ChatLogprobs(const std::vector<TokenInfo>& tokens, TokenForm form);
// The classic endpoint's: {"tokens", "token_logprobs", "top_logprobs", "text_offset"}; `offset` is where the first
// token's text begins in the answer. `first_is_prompt_start`: the first token has no logprob (null).
json::object CompletionLogprobs(const std::vector<TokenInfo>& tokens, TokenForm form, int64_t offset,
                                bool first_is_prompt_start);
// vLLM's prompt_logprobs: [null, {"5": {"logprob", "rank", "decoded_token"}}, ...]
json::array PromptLogprobs(const std::vector<TokenInfo>& prompt);

// {"id", "object": "model", "created", "owned_by", ...}
json::object ModelJson(const ModelCard& card);

}  // namespace pingti::protocol
