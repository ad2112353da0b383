// Tokenizer: text to token ids and back, for the four kinds that model files name. Immutable after
// Create; all methods are thread-safe.
//
// Special (control) tokens are recognised only in trusted text (what the template wrote), never in
// what a user sent.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pingti::text {

enum class TokenType : uint8_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

// What a model file says of its tokenizer (GGUF's tokenizer.ggml.* keys), format-independent.
struct TokenizerSpec {
  std::string model;  // "gpt2" (byte-level BPE), "llama" (SentencePiece BPE), "t5" (Unigram),
                      // "bert" (WordPiece)
  std::string pre;    // pre-tokenizer: "gpt-2", "smollm", "qwen2", "llama-bpe", "deepseek-llm", ...
  std::vector<std::string> tokens;  // by id
  std::vector<float> scores;        // by id; SentencePiece kinds
  std::vector<TokenType> types;     // by id; empty: all normal
  std::vector<std::string> merges;  // "left right", best first; byte-level BPE
  // "bert": bos and eos are the file's cls and separator tokens, both added.
  int32_t bos = -1, eos = -1, eot = -1, unknown = -1, padding = -1;  // -1: none
  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = true;      // SentencePiece: " " before the text
  bool remove_extra_spaces = false;  // SentencePiece: none at the ends, no two together
  std::string charsmap;              // SentencePiece's normaliser as bytes (text/charsmap.h)
  // Flags of special tokens; ids ascending. Space before or after such a token belongs to it; a
  // whole word is only matched between characters that are of no word.
  std::vector<int32_t> takes_space_before, takes_space_after, whole_words;
};

// Bytes [begin, end) of a text.
struct TextRange {
  size_t begin = 0;
  size_t end = 0;
};

struct EncodeOptions {
  bool add_special = false;                   // bos/eos as the model wants
  bool parse_special = false;                 // control tokens are recognised in the text ...
  std::span<const TextRange> untrusted = {};  // ... but not in (or across) these ascending ranges
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // An error names what is missing or wrong: unknown `pre`, merges that name no token, duplicate
  // tokens ...
  static Result<std::shared_ptr<const Tokenizer>> Create(TokenizerSpec spec);

  virtual std::vector<int32_t> Encode(std::string_view text,
                                      const EncodeOptions& options) const = 0;
  // The bytes that `token` adds to a text (may be part of a UTF-8 character). Control tokens add
  // nothing unless `keep_special`. An id out of range adds nothing.
  virtual std::string_view TokenBytes(int32_t token, bool keep_special) const = 0;
  // The whole text; invalid UTF-8 becomes U+FFFD.
  std::string Decode(std::span<const int32_t> tokens, bool keep_special) const;

  virtual const TokenizerSpec& spec() const = 0;
  int32_t vocab_size() const { return static_cast<int32_t>(spec().tokens.size()); }
  bool IsControl(int32_t token) const;
  // Ids after which an answer ends: eos, eot and the known end-of-turn tokens of the vocabulary.
  virtual std::span<const int32_t> end_tokens() const = 0;
  // The id of exactly this token text, or -1.
  virtual int32_t FindToken(std::string_view text) const = 0;
};

}  // namespace pingti::text
