// WordPiece: lower-cased words without accents, each cut greedily into the longest tokens from its
// start. Not lossless.
//
// Vocabularies write the start of a word either as GGUF does ("▁the", "ing") or as BERT's own files
// do ("the", "##ing").
#include <memory>
#include <utility>

#include "text/sentencepiece.h"
#include "text/unicode.h"

namespace pingti::text {
namespace {

constexpr std::string_view kContinuation = "##";
constexpr size_t kWordCharsMax = 100;  // longer words are unknown, as in BERT

bool IsChinese(char32_t code) {
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
         (code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2B81F) ||
         (code >= 0x2B920 && code <= 0x2CEAF) || (code >= 0xF900 && code <= 0xFAFF) ||
         (code >= 0x2F800 && code <= 0x2FA1F);
}

bool IsPunctuation(char32_t code, uint8_t classes) {
  const bool ascii_sign = code > ' ' && code < 0x7F && (classes & (kPunctuation | kSymbol)) != 0;
  return ascii_sign || (classes & kPunctuation) != 0;
}

class WordPiece final : public VocabularyTokenizer {
 public:
  explicit WordPiece(TokenizerSpec spec_to_own) : VocabularyTokenizer(std::move(spec_to_own)) {
    for (const std::string& token : spec().tokens)
      marks_starts_ = marks_starts_ || token.starts_with(kSpaceMark);
    for (int32_t id = 0; id < vocab_size(); ++id) {
      const std::string_view token = spec().tokens[static_cast<size_t>(id)];
      if (TypeOf(id) == TokenType::kControl) {
        bytes().Add(token);
      } else if (marks_starts_) {
        const bool starts = token.starts_with(kSpaceMark);
        bytes().Add(starts ? " " + std::string(token.substr(kSpaceMark.size()))
                           : std::string(token));
      } else {
        const bool continues = token.starts_with(kContinuation);
        bytes().Add(continues ? std::string(token.substr(kContinuation.size()))
                              : " " + std::string(token));
      }
    }
  }

 private:
  void EncodePlain(std::string_view text, std::vector<int32_t>& out) const override {
    const CharClasses& classes = CharClasses::Get();
    std::u32string word, folded;
    while (!text.empty()) {
      const Utf8Char next = DecodeUtf8(text);
      text.remove_prefix(next.bytes);
      const uint8_t own = classes.Of(next.code);
      const bool space = (own & kSpace) != 0;
      // Control characters and what was not UTF-8 vanish; tab and line feeds are white space.
      if (!space && ((own & kControlChar) != 0 || next.code == kReplacement || next.code == 0))
        continue;
      if (space) {
        EncodeWord(word, out);
        continue;
      }
      folded.clear();
      AppendFolded(next.code, folded);
      if (IsChinese(next.code)) {
        EncodeWord(word, out);
        EncodeWord(folded, out);
        continue;
      }
      for (const char32_t code : folded) {
        if (!IsPunctuation(code, classes.Of(code))) {
          word += code;
          continue;
        }
        EncodeWord(word, out);
        word = code;
        EncodeWord(word, out);
      }
    }
    EncodeWord(word, out);
  }

  // Appends the tokens of `word` and clears it.
  void EncodeWord(std::u32string& word, std::vector<int32_t>& out) const {
    if (word.empty()) return;
    const size_t out_begin = out.size();
    bool known = word.size() <= kWordCharsMax;
    for (size_t begin = 0; known && begin < word.size();) {
      size_t end = word.size();
      int32_t id = -1;
      for (; end > begin; --end) {
        if (id = FindPart(std::u32string_view(word).substr(begin, end - begin), begin > 0); id >= 0)
          break;
      }
      known = id >= 0;
      if (known) out.push_back(id);
      begin = end;
    }
    if (!known) {
      out.resize(out_begin);
      if (spec().unknown >= 0) out.push_back(spec().unknown);
    }
    word.clear();
  }

  int32_t FindPart(std::u32string_view part, bool continues) const {
    std::string text;
    if (marks_starts_ && !continues) text = kSpaceMark;
    if (!marks_starts_ && continues) text = kContinuation;
    for (const char32_t code : part) AppendUtf8(code, text);
    const int32_t id = FindToken(text);
    return id >= 0 && TypeOf(id) != TokenType::kControl ? id : -1;
  }

  bool marks_starts_ = false;
};

}  // namespace

Result<std::shared_ptr<const Tokenizer>> MakeWordPiece(TokenizerSpec spec) {
  if (spec.unknown < 0) return SpecError("unknown_token_id", "missing; a bert vocabulary needs it");
  return std::shared_ptr<const Tokenizer>(std::make_shared<WordPiece>(std::move(spec)));
}

}  // namespace pingti::text
