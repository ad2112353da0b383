#include "protocol/answers.h"

#include <cmath>

namespace pingti::protocol {

namespace {

constexpr double kLogprobFloor = -9999.0;  // as OpenAI writes minus infinity

json::value LogprobJson(float logprob) {
  return std::isfinite(logprob) ? static_cast<double>(logprob) : kLogprobFloor;
}

std::string TokenName(const TokenLogprob& token, TokenForm form) {
  return form == TokenForm::kId ? "token_id:" + std::to_string(token.token) : LossyText(token.bytes);
}

json::array BytesJson(std::string_view bytes) {
  json::array out;
  out.reserve(bytes.size());
  for (const char c : bytes) out.push_back(static_cast<unsigned char>(c));
  return out;
}

json::object ChatToken(const TokenLogprob& token, TokenForm form) {
  json::object out;
  out["token"] = TokenName(token, form);
  out["logprob"] = LogprobJson(token.logprob);
  out["bytes"] = BytesJson(token.bytes);
  return out;
}

// The length of the well-formed UTF-8 sequence at `at`; 0 where there is none (RFC 3629).
size_t SequenceLength(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  size_t length = 0;
  unsigned low = 0x80;
  unsigned high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  }
  if (length == 0 || at + length > text.size()) return 0;
  if (byte(at + 1) < low || byte(at + 1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::string_view FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone: return "";
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kCancelled: return "abort";
    case FinishReason::kError: return "error";
  }
  return "";
}

json::value FinishReasonJson(FinishReason reason) {
  if (reason == FinishReason::kNone) return nullptr;
  return json::value(FinishReasonName(reason));
}

json::object UsageJson(const Usage& usage) {
  json::object out;
  out["prompt_tokens"] = usage.prompt_tokens;
  out["completion_tokens"] = usage.completion_tokens;
  out["total_tokens"] = usage.prompt_tokens + usage.completion_tokens;
  out["prompt_tokens_details"] = json::object{{"cached_tokens", usage.cached_tokens}};
  out["completion_tokens_details"] = json::object{{"reasoning_tokens", usage.reasoning_tokens}};
  return out;
}

std::string LossyText(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = SequenceLength(bytes, at);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++at;
    } else {
      out += bytes.substr(at, length);
      at += length;
    }
  }
  return out;
}

json::object ChatLogprobs(const std::vector<TokenInfo>& tokens, TokenForm form) {
  json::array content;
  content.reserve(tokens.size());
  for (const TokenInfo& token : tokens) {
    json::object entry = ChatToken(token.chosen, form);
    json::array top;
    for (const TokenLogprob& candidate : token.top) top.push_back(ChatToken(candidate, form));
    entry["top_logprobs"] = std::move(top);
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

json::object CompletionLogprobs(const std::vector<TokenInfo>& tokens, TokenForm form, int64_t offset,
                                bool first_is_prompt_start) {
  json::array names;
  json::array logprobs;
  json::array tops;
  json::array offsets;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const TokenInfo& token = tokens[i];
    names.push_back(json::value(TokenName(token.chosen, form)));
    offsets.push_back(offset);
    offset += static_cast<int64_t>(token.chosen.bytes.size());
    if (i == 0 && first_is_prompt_start) {
      logprobs.push_back(nullptr);
      tops.push_back(nullptr);
      continue;
    }
    logprobs.push_back(LogprobJson(token.chosen.logprob));
    json::object top;
    for (const TokenLogprob& candidate : token.top) top[TokenName(candidate, form)] = LogprobJson(candidate.logprob);
    if (token.top.empty()) top[TokenName(token.chosen, form)] = LogprobJson(token.chosen.logprob);
    tops.push_back(std::move(top));
  }
  return {{"tokens", std::move(names)},
          {"token_logprobs", std::move(logprobs)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(offsets)}};
}

json::array PromptLogprobs(const std::vector<TokenInfo>& prompt) {
  json::array out;
  for (size_t i = 0; i < prompt.size(); ++i) {
    if (i == 0) {
      out.push_back(nullptr);
      continue;
    }
    json::object entry;
    int64_t rank = 1;
    for (const TokenLogprob& candidate : prompt[i].top) {
      entry[std::to_string(candidate.token)] = json::object{
          {"logprob", LogprobJson(candidate.logprob)}, {"rank", rank++}, {"decoded_token", LossyText(candidate.bytes)}};
    }
    const TokenLogprob& chosen = prompt[i].chosen;
    if (!entry.contains(std::to_string(chosen.token))) {
      entry[std::to_string(chosen.token)] = json::object{
          {"logprob", LogprobJson(chosen.logprob)}, {"rank", nullptr}, {"decoded_token", LossyText(chosen.bytes)}};
    }
    out.push_back(std::move(entry));
  }
  return out;
}

json::object ModelJson(const ModelCard& card) {
  json::object out;
  out["id"] = card.id;
  out["object"] = "model";
  out["created"] = card.created;
  out["owned_by"] = card.owned_by;
  out["max_model_len"] = card.context_length;
  for (const auto& entry : card.details) out[entry.key()] = entry.value();
  return out;
}

}  // namespace pingti::protocol
