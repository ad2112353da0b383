// Unicode: UTF-8 decoding and the character classes that pre-tokenizers name (\p{L}, \p{N} ...).
// Pure functions over a generated table that is expanded once, at first use; thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pingti::text {

// Bits of a character's class.
enum CharClass : uint8_t {
  kLetter = 1,         // \p{L}
  kMark = 2,           // \p{M}
  kNumber = 4,         // \p{N}
  kPunctuation = 8,    // \p{P}
  kSymbol = 16,        // \p{S}
  kSpace = 32,         // \s: White_Space
  kCased = 64,         // the cased letters that deepseek-llm lists
  kControlChar = 128,  // Cc, Cf, Co and what is not assigned
};

constexpr char32_t kReplacement = 0xFFFD;
constexpr std::string_view kReplacementUtf8 = "\xEF\xBF\xBD";

enum class Utf8State : uint8_t {
  kValid,
  kInvalid,     // `bytes` of it can never become a character
  kIncomplete,  // the text ends inside a character
};

struct Utf8Char {
  char32_t code = kReplacement;
  uint8_t bytes = 1;  // 1 to 4, also where invalid
  Utf8State state = Utf8State::kInvalid;
};

// The character at the start of `text`, which is not empty.
Utf8Char DecodeUtf8(std::string_view text);
void AppendUtf8(char32_t code, std::string& out);
// Appends the whole characters of `text`, U+FFFD for what is invalid, and returns how many bytes at
// the end belong to a character that is not complete.
size_t AppendValidUtf8(std::string_view text, std::string& out);

// Classes of all characters: 8 bits each, in pages of 256 that are shared where equal.
class CharClasses final {
 public:
  // Built at the first call.
  static const CharClasses& Get();

  uint8_t Of(char32_t code) const {
    return code < 0x110000 ? pages_[page_of_[code >> 8]][code & 0xFF] : uint8_t{0};
  }

 private:
  using Page = std::array<uint8_t, 256>;
  CharClasses();
  std::array<uint16_t, 0x1100> page_of_{};
  std::vector<Page> pages_;
};

// WordPiece's fold of one character: accents removed, lower case; appends 0 to 4 characters.
void AppendFolded(char32_t code, std::u32string& out);

}  // namespace pingti::text
