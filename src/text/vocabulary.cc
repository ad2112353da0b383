#include "text/vocabulary.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "text/unicode.h"

namespace pingti::text {
namespace {

constexpr size_t kTokensMax = 1 << 22;
constexpr size_t kTokenBytesMax = 1 << 16;

// Texts with which published models end a turn, whatever their file calls eos.
constexpr std::string_view kEndTexts[] = {
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "</s>",
    "<end_of_turn>",
    "<|EOT|>",
    "<｜end▁of▁sentence｜>",
    "<|user|>",
    "<|observation|>",
    "<|return|>",
    "<|call|>",
    "<|end_of_turn|>",
};

struct NamedId {
  std::string_view key;
  int32_t id;
};

std::string Shown(std::string_view token) {
  std::string valid;
  AppendValidUtf8(token.substr(0, 40), valid);
  return "\"" + valid + "\"";
}

}  // namespace

Status SpecError(std::string_view key, std::string message) {
  std::string field = "tokenizer.ggml." + std::string(key);
  return InvalidArgument(field + ": " + message, field);
}

Status ValidateSpec(const TokenizerSpec& spec) {
  const size_t count = spec.tokens.size();
  const auto sized = [count](size_t found) {
    return "wanted one entry for each of " + std::to_string(count) + " tokens, found " +
           std::to_string(found);
  };
  if (count == 0) return SpecError("tokens", "the vocabulary is empty");
  if (count > kTokensMax) {
    return SpecError("tokens",
                     std::to_string(count) + " tokens, more than " + std::to_string(kTokensMax));
  }
  if (!spec.types.empty() && spec.types.size() != count) {
    return SpecError("token_type", sized(spec.types.size()));
  }
  if (!spec.scores.empty() && spec.scores.size() != count) {
    return SpecError("scores", sized(spec.scores.size()));
  }
  for (const NamedId& named :
       {NamedId{"bos_token_id", spec.bos}, NamedId{"eos_token_id", spec.eos},
        NamedId{"eot_token_id", spec.eot}, NamedId{"unknown_token_id", spec.unknown},
        NamedId{"padding_token_id", spec.padding}}) {
    if (named.id < -1 || named.id >= static_cast<int64_t>(count)) {
      return SpecError(named.key, "id " + std::to_string(named.id) + " is not one of " +
                                      std::to_string(count) + " tokens");
    }
  }
  if (spec.add_bos && spec.bos < 0)
    return SpecError("bos_token_id", "missing, but add_bos_token is set");
  if (spec.add_eos && spec.eos < 0)
    return SpecError("eos_token_id", "missing, but add_eos_token is set");
  StringIndex index(count);
  for (size_t id = 0; id < count; ++id) {
    const std::string& token = spec.tokens[id];
    if (token.size() > kTokenBytesMax) {
      return SpecError("tokens", "token " + std::to_string(id) + " has " +
                                     std::to_string(token.size()) + " bytes, more than " +
                                     std::to_string(kTokenBytesMax));
    }
    if (const auto before = index.Add(token, static_cast<int32_t>(id))) {
      return SpecError("tokens", Shown(token) + " stands twice, as " + std::to_string(*before) +
                                     " and " + std::to_string(id));
    }
  }
  return Status::Ok();
}

void TokenBytesTable::Reserve(size_t tokens) {
  constexpr size_t kBytesPerToken = 8;
  bytes_.reserve(tokens * kBytesPerToken);
  ends_.reserve(tokens + 1);
}

void TokenBytesTable::Add(std::string_view bytes) {
  bytes_.append(bytes);
  ends_.push_back(static_cast<uint32_t>(bytes_.size()));
}

VocabularyTokenizer::VocabularyTokenizer(TokenizerSpec spec)
    : spec_(std::move(spec)), index_(spec_.tokens.size()), specials_(spec_) {
  for (size_t id = 0; id < spec_.tokens.size(); ++id) {
    index_.Add(spec_.tokens[id], static_cast<int32_t>(id));
  }
  bytes_.Reserve(spec_.tokens.size());
  CollectEndTokens();
}

void VocabularyTokenizer::CollectEndTokens() {
  const auto add = [this](int32_t id) {
    if (id >= 0 && std::ranges::find(end_tokens_, id) == end_tokens_.end())
      end_tokens_.push_back(id);
  };
  add(spec_.eos);
  add(spec_.eot);
  for (const std::string_view text : kEndTexts) {
    const int32_t id = index_.Find(text);
    // A word of the language that looks like one does not end an answer.
    if (id >= 0 && (TypeOf(id) == TokenType::kControl || TypeOf(id) == TokenType::kUserDefined))
      add(id);
  }
}

std::vector<int32_t> VocabularyTokenizer::Encode(std::string_view text,
                                                 const EncodeOptions& options) const {
  constexpr size_t kBytesPerToken = 3;
  std::vector<int32_t> out;
  out.reserve(text.size() / kBytesPerToken + 2);
  const bool add_bos = options.add_special && spec_.add_bos;
  if (add_bos) out.push_back(spec_.bos);
  for (const TextSegment& segment : specials_.Split(text, options)) {
    if (segment.token < 0) {
      EncodePlain(text.substr(segment.begin, segment.end - segment.begin), out);
    } else if (!(add_bos && segment.begin == 0 && segment.token == spec_.bos)) {
      // (A template that prints the begin token itself does not double it.)
      out.push_back(segment.token);
    }
  }
  if (options.add_special && spec_.add_eos) out.push_back(spec_.eos);
  return out;
}

std::string_view VocabularyTokenizer::TokenBytes(int32_t token, bool keep_special) const {
  if (token < 0 || token >= vocab_size()) return {};
  const TokenType type = TypeOf(token);
  if (!keep_special && (type == TokenType::kControl || type == TokenType::kUnknown)) return {};
  return bytes_.Of(static_cast<size_t>(token));
}

}  // namespace pingti::text
