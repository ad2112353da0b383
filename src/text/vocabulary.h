// VocabularyTokenizer: what all kinds of tokenizer share: the checked vocabulary, special tokens,
// begin and end tokens. A kind adds how plain text becomes tokens. Immutable after construction;
// thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/special_matcher.h"
#include "text/string_index.h"
#include "text/tokenizer.h"

namespace pingti::text {

// Checks what holds for every kind: sizes, ids in range, no token twice. The error's field is the
// GGUF key.
Status ValidateSpec(const TokenizerSpec& spec);

// An error about a key of the file: "tokenizer.ggml.<key>: message".
Status SpecError(std::string_view key, std::string message);

// The bytes of all tokens in one string.
class TokenBytesTable final {
 public:
  void Reserve(size_t tokens);
  void Add(std::string_view bytes);
  std::string_view Of(size_t token) const {
    return std::string_view(bytes_).substr(ends_[token], ends_[token + 1] - ends_[token]);
  }

 private:
  std::string bytes_;
  std::vector<uint32_t> ends_{0};  // [tokens + 1]
};

class VocabularyTokenizer : public Tokenizer {
 public:
  // `spec` has passed ValidateSpec.
  explicit VocabularyTokenizer(TokenizerSpec spec);

  std::vector<int32_t> Encode(std::string_view text, const EncodeOptions& options) const final;
  std::string_view TokenBytes(int32_t token, bool keep_special) const final;
  const TokenizerSpec& spec() const final { return spec_; }
  std::span<const int32_t> end_tokens() const final { return end_tokens_; }
  int32_t FindToken(std::string_view text) const final { return index_.Find(text); }

 protected:
  // Appends the tokens of plain text.
  virtual void EncodePlain(std::string_view text, std::vector<int32_t>& out) const = 0;

  TokenType TypeOf(int32_t token) const {
    return spec_.types.empty() ? TokenType::kNormal : spec_.types[static_cast<size_t>(token)];
  }
  // To be filled by the constructor of the kind, in the order of the ids.
  TokenBytesTable& bytes() { return bytes_; }
  const TokenBytesTable& bytes() const { return bytes_; }

 private:
  void CollectEndTokens();

  TokenizerSpec spec_;
  StringIndex index_;  // token text -> id
  SpecialMatcher specials_;
  TokenBytesTable bytes_;
  std::vector<int32_t> end_tokens_;
};

// The kinds. Each checks what it alone needs of the spec.
Result<std::shared_ptr<const Tokenizer>> MakeByteBpe(TokenizerSpec spec);
Result<std::shared_ptr<const Tokenizer>> MakeSentencePieceBpe(TokenizerSpec spec);
Result<std::shared_ptr<const Tokenizer>> MakeUnigram(TokenizerSpec spec);
Result<std::shared_ptr<const Tokenizer>> MakeWordPiece(TokenizerSpec spec);

}  // namespace pingti::text
