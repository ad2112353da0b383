#include "text/pretokenizer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

namespace pingti::text {
namespace {

struct Char {
  char32_t code = 0;
  uint8_t bytes = 0;  // 0: the piece ends here
  uint8_t classes = 0;

  bool Is(uint8_t mask) const { return (classes & mask) != 0; }
  bool IsNewline() const { return code == '\r' || code == '\n'; }
};

// A piece of text under the eyes of a splitter: nothing beyond its end is seen, as look-ahead
// demands.
class Piece final {
 public:
  explicit Piece(std::string_view text)
      : text_(text), end_(text.size()), classes_(CharClasses::Get()) {
    for (char32_t code = 0; code < ascii_.size(); ++code) ascii_[code] = classes_.Of(code);
  }

  size_t end() const { return end_; }
  void set_end(size_t end) { end_ = end; }

  Char At(size_t pos) const {
    if (pos >= end_) return {};
    const auto byte = static_cast<uint8_t>(text_[pos]);
    if (byte < ascii_.size()) return {byte, 1, ascii_[byte]};
    const Utf8Char next = DecodeUtf8(text_.substr(pos, end_ - pos));
    if (next.state != Utf8State::kValid) return {next.code, 1, 0};
    return {next.code, next.bytes, classes_.Of(next.code)};
  }

  // Past the characters that have (or have not) a class of `mask`.
  size_t Skip(size_t pos, uint8_t mask, bool wanted = true) const {
    while (pos < end_) {
      const Char next = At(pos);
      if (next.Is(mask) != wanted) break;
      pos += next.bytes;
    }
    return pos;
  }

  size_t SkipNewlines(size_t pos) const {
    while (pos < end_ && (text_[pos] == '\r' || text_[pos] == '\n')) ++pos;
    return pos;
  }

  size_t SkipAsciiLetters(size_t pos) const {
    while (pos < end_ && IsAsciiLetter(text_[pos])) ++pos;
    return pos;
  }

  static bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
  char byte(size_t pos) const { return pos < end_ ? text_[pos] : '\0'; }

 private:
  std::string_view text_;
  size_t end_;
  const CharClasses& classes_;
  std::array<uint8_t, 128> ascii_{};
};

// [begin, end) of a match; empty where there is none up to the piece's end.
struct Match {
  size_t begin = 0;
  size_t end = 0;
};

enum class Case : uint8_t { kExact, kIgnore };

// Past 's 't 're 've 'm 'll 'd at `pos`, or `pos`.
size_t SkipContraction(const Piece& piece, size_t pos, Case letter_case) {
  if (piece.byte(pos) != '\'') return pos;
  const auto letter = [&](size_t at) {
    const char c = piece.byte(at);
    return letter_case == Case::kIgnore && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A'))
                                                                : c;
  };
  const char first = letter(pos + 1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return pos + 2;
  const char second = letter(pos + 2);
  if ((first == 'r' || first == 'v') && second == 'e') return pos + 3;
  if (first == 'l' && second == 'l') return pos + 3;
  // U+017F, the long s, is an s where case does not matter.
  if (letter_case == Case::kIgnore && first == '\xC5' && second == '\xBF') return pos + 3;
  return pos;
}

// \s+(?!\S)|\s+ : a run of white space up to the piece's end, or all but its last character, or
// that one alone.
size_t SkipSpaceRun(const Piece& piece, size_t pos) {
  size_t last = pos;
  size_t at = pos;
  for (Char next = piece.At(at); next.Is(kSpace); next = piece.At(at)) {
    last = at;
    at += next.bytes;
  }
  return at == piece.end() || last == pos ? at : last;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ at a white-space character.
size_t SkipSpaceLines(const Piece& piece, size_t pos) {
  size_t after_newline = pos;
  size_t at = pos;
  for (Char next = piece.At(at); next.Is(kSpace); next = piece.At(at)) {
    at += next.bytes;
    if (next.IsNewline()) after_newline = at;
  }
  return after_newline > pos ? after_newline : SkipSpaceRun(piece, pos);
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
Match MatchGpt2(const Piece& piece, size_t pos, uint32_t) {
  if (const size_t end = SkipContraction(piece, pos, Case::kExact); end > pos) return {pos, end};
  const size_t start = piece.byte(pos) == ' ' ? pos + 1 : pos;
  const Char first = piece.At(start);
  if (first.bytes > 0) {
    if (first.Is(kLetter)) return {pos, piece.Skip(start, kLetter)};
    if (first.Is(kNumber)) return {pos, piece.Skip(start, kNumber)};
    if (!first.Is(kSpace)) return {pos, piece.Skip(start, kSpace | kLetter | kNumber, false)};
  }
  return {pos, SkipSpaceRun(piece, pos)};
}

constexpr uint32_t kDigitsUnlimited = std::numeric_limits<uint32_t>::max();

size_t SkipNumbers(const Piece& piece, size_t pos, uint32_t count_max) {
  for (uint32_t count = 0; count < count_max; ++count) {
    const Char next = piece.At(pos);
    if (!next.Is(kNumber)) break;
    pos += next.bytes;
  }
  return pos;
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?W+|\p{N}{1,digits}| ?[^\s W
// \p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ where W (`word`) is \p{L}, or [\p{L}\p{M}].
Match MatchWords(const Piece& piece, size_t pos, uint32_t digits, uint8_t word) {
  if (const size_t end = SkipContraction(piece, pos, Case::kIgnore); end > pos) return {pos, end};
  const Char first = piece.At(pos);
  if (first.Is(word)) return {pos, piece.Skip(pos, word)};
  const size_t second_pos = pos + first.bytes;
  if (!first.IsNewline() && !first.Is(kNumber) && piece.At(second_pos).Is(word)) {
    return {pos, piece.Skip(second_pos, word)};
  }
  if (first.Is(kNumber)) return {pos, SkipNumbers(piece, pos, digits)};
  const size_t start = first.code == ' ' ? second_pos : pos;
  const uint8_t not_other = static_cast<uint8_t>(kSpace | kNumber | word);
  if (const size_t end = piece.Skip(start, not_other, false); end > start) {
    return {pos, piece.SkipNewlines(end)};
  }
  return {pos, SkipSpaceLines(piece, pos)};
}

Match MatchLetterWords(const Piece& piece, size_t pos, uint32_t digits) {
  return MatchWords(piece, pos, digits, kLetter);
}

Match MatchMarkedWords(const Piece& piece, size_t pos, uint32_t digits) {
  return MatchWords(piece, pos, digits, kLetter | kMark);
}

// [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|
// ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ A character that none of these takes joins its
// neighbours of that kind.
Match MatchDeepseekV3(const Piece& piece, size_t pos, uint32_t) {
  constexpr uint8_t kWord = kLetter | kMark;
  constexpr uint8_t kSign = kPunctuation | kSymbol;
  for (size_t at = pos; at < piece.end();) {
    const Char first = piece.At(at);
    const size_t second_pos = at + first.bytes;
    if (first.code < 0x80 && first.Is(kSign) && Piece::IsAsciiLetter(piece.byte(second_pos))) {
      return {at, piece.SkipAsciiLetters(second_pos)};
    }
    if (first.Is(kWord)) return {at, piece.Skip(at, kWord)};
    if (!first.IsNewline() && !first.Is(kSign) && piece.At(second_pos).Is(kWord)) {
      return {at, piece.Skip(second_pos, kWord)};
    }
    const size_t start = first.code == ' ' ? second_pos : at;
    if (const size_t end = piece.Skip(start, kSign); end > start) {
      return {at, piece.SkipNewlines(end)};
    }
    if (first.Is(kSpace)) return {at, SkipSpaceLines(piece, at)};
    at = second_pos;
  }
  return {piece.end(), piece.end()};
}

// \p{N}{1,count}
Match MatchNumbers(const Piece& piece, size_t pos, uint32_t count) {
  const size_t begin = piece.Skip(pos, kNumber, false);
  return {begin, SkipNumbers(piece, begin, count)};
}

// [0-9][0-9][0-9]
Match MatchThreeDigits(const Piece& piece, size_t pos, uint32_t) {
  constexpr size_t kDigits = 3;
  size_t run = 0;
  for (size_t at = pos; at < piece.end(); ++at) {
    run = piece.byte(at) >= '0' && piece.byte(at) <= '9' ? run + 1 : 0;
    if (run == kDigits) return {at + 1 - kDigits, at + 1};
  }
  return {piece.end(), piece.end()};
}

// [\r\n]
Match MatchNewline(const Piece& piece, size_t pos, uint32_t) {
  while (pos < piece.end() && piece.byte(pos) != '\r' && piece.byte(pos) != '\n') ++pos;
  return {pos, std::min(pos + 1, piece.end())};
}

// \s+$ : there is one at most, at the end.
Match MatchTrailingSpace(const Piece& piece, size_t pos, uint32_t) {
  size_t begin = piece.end();
  for (size_t at = pos; at < piece.end();) {
    const Char next = piece.At(at);
    if (!next.Is(kSpace)) {
      begin = piece.end();
    } else if (begin == piece.end()) {
      begin = at;
    }
    at += next.bytes;
  }
  return {begin, piece.end()};
}

// X+ or \s?X+ for a set X of characters.
template <typename InSet>
Match MatchRun(const Piece& piece, size_t pos, bool space_before, InSet in_set) {
  size_t previous_space =
      piece.end();  // where the character before `at` began if it is white space
  for (size_t at = pos; at < piece.end();) {
    const Char next = piece.At(at);
    if (in_set(next)) {
      const size_t begin = space_before && previous_space < at ? previous_space : at;
      while (at < piece.end() && in_set(piece.At(at))) at += piece.At(at).bytes;
      return {begin, at};
    }
    previous_space = next.Is(kSpace) ? at : piece.end();
    at += next.bytes;
  }
  return {piece.end(), piece.end()};
}

// \s?X+ where X is the classes of `mask`.
Match MatchSpacedClass(const Piece& piece, size_t pos, uint32_t mask) {
  return MatchRun(piece, pos, true, [mask](Char c) { return c.Is(static_cast<uint8_t>(mask)); });
}

bool Within(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

// \s?[!-/:-~！-／：-～‘-‟　-。]+
Match MatchWideSigns(const Piece& piece, size_t pos, uint32_t) {
  return MatchRun(piece, pos, true, [](Char c) {
    return Within(c.code, '!', '/') || Within(c.code, ':', '~') || Within(c.code, 0xFF01, 0xFF0F) ||
           Within(c.code, 0xFF1A, 0xFF5E) || Within(c.code, 0x2018, 0x201F) ||
           Within(c.code, 0x3000, 0x3002);
  });
}

// [\p{P}$+<=>^~|]+ and, for falcon, the back-tick too.
Match MatchSigns(const Piece& piece, size_t pos, uint32_t with_backtick) {
  return MatchRun(piece, pos, false, [with_backtick](Char c) {
    constexpr std::string_view kSigns = "$+<=>^~|";
    return c.Is(kPunctuation) || (with_backtick != 0 && c.code == '`') ||
           (c.code < 0x80 && c.bytes > 0 &&
            kSigns.find(static_cast<char>(c.code)) != std::string_view::npos);
  });
}

// [一-龥ࠀ-一가-퟿]+
Match MatchEastAsian(const Piece& piece, size_t pos, uint32_t) {
  return MatchRun(piece, pos, false, [](Char c) {
    return Within(c.code, 0x0800, 0x9FA5) || Within(c.code, 0xAC00, 0xD7FF);
  });
}

// [一-龥぀-ゟ゠-ヿ]+
Match MatchHanKana(const Piece& piece, size_t pos, uint32_t) {
  return MatchRun(piece, pos, false, [](Char c) {
    return Within(c.code, 0x4E00, 0x9FA5) || Within(c.code, 0x3040, 0x30FF);
  });
}

}  // namespace

struct Pretokenizer::Step {
  Match (*find)(const Piece& piece, size_t pos, uint32_t argument);
  uint32_t argument = 0;
};

namespace {

using Step = Pretokenizer::Step;

constexpr Step kGpt2[] = {{MatchGpt2}};
constexpr Step kDigitsThenGpt2[] = {{MatchNumbers, 1}, {MatchGpt2}};
constexpr Step kSignsNumbersThousands[] = {
    {MatchSigns, 0}, {MatchGpt2}, {MatchNumbers, kDigitsUnlimited}, {MatchThreeDigits}};
constexpr Step kFalcon[] = {{MatchSigns, 1}, {MatchGpt2}, {MatchThreeDigits}};
constexpr Step kWordsDigits1[] = {{MatchLetterWords, 1}};
constexpr Step kWordsDigits3[] = {{MatchLetterWords, 3}};
constexpr Step kMarkedWordsDigits1[] = {{MatchMarkedWords, 1}};
constexpr Step kDeepseekLlm[] = {{MatchNewline},   {MatchSpacedClass, kCased},
                                 {MatchWideSigns}, {MatchTrailingSpace},
                                 {MatchEastAsian}, {MatchNumbers, kDigitsUnlimited}};
constexpr Step kDeepseekCoder[] = {{MatchNewline},
                                   {MatchSpacedClass, kLetter},
                                   {MatchSpacedClass, kPunctuation},
                                   {MatchEastAsian},
                                   {MatchNumbers, 1}};
constexpr Step kDeepseekV3[] = {{MatchNumbers, 3}, {MatchHanKana}, {MatchDeepseekV3}};

// The names are the values of tokenizer.ggml.pre in model files.
constexpr Pretokenizer kPretokenizers[] = {
    {"default", kSignsNumbersThousands, false},
    {"gpt-2", kGpt2, false},
    {"mpt", kGpt2, false},
    {"olmo", kGpt2, false},
    {"phi-2", kGpt2, false},
    {"roberta-bpe", kGpt2, false},
    {"smollm", kDigitsThenGpt2, false},
    {"refact", kDigitsThenGpt2, false},
    {"starcoder", kDigitsThenGpt2, false},
    {"command-r", kDigitsThenGpt2, false},
    {"codeshell", kDigitsThenGpt2, false},
    {"falcon", kFalcon, false},
    {"qwen2", kWordsDigits1, false},
    {"deepseek-r1-qwen", kWordsDigits1, false},
    {"qwen35", kMarkedWordsDigits1, false},
    {"llama-bpe", kWordsDigits3, true},
    {"llama3", kWordsDigits3, true},
    {"llama-v3", kWordsDigits3, true},
    {"glm4", kWordsDigits3, false},
    {"chatglm-bpe", kWordsDigits3, false},
    {"deepseek-llm", kDeepseekLlm, false},
    {"deepseek-coder", kDeepseekCoder, false},
    {"deepseek-v3", kDeepseekV3, false},
};

}  // namespace

const Pretokenizer* Pretokenizer::Find(std::string_view name) {
  for (const Pretokenizer& entry : kPretokenizers) {
    if (entry.name_ == name) return &entry;
  }
  return nullptr;
}

std::string Pretokenizer::Names() {
  std::string names;
  for (const Pretokenizer& entry : kPretokenizers) {
    if (!names.empty()) names += ", ";
    names += entry.name_;
  }
  return names;
}

std::vector<size_t> Pretokenizer::Split(std::string_view text) const {
  Piece piece(text);
  std::vector<size_t> ends;
  if (!text.empty()) ends.push_back(text.size());
  for (const Step& step : steps_) {
    std::vector<size_t> finer;
    finer.reserve(std::max(ends.size(), text.size() / 4));
    size_t pos = 0;
    for (const size_t end : ends) {
      piece.set_end(end);
      while (pos < end) {
        const Match match = step.find(piece, pos, step.argument);
        if (match.begin > pos) finer.push_back(match.begin);
        if (match.end > match.begin) finer.push_back(match.end);
        pos = match.end;
      }
    }
    ends = std::move(finer);
  }
  return ends;
}

}  // namespace pingti::text
