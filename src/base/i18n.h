// Messages in English or Chinese. The language is decided once, at the first message: PINGTI_LANG
// (en, zh) before LC_ALL, LC_MESSAGES and LANG; a locale that begins with "zh" is Chinese, all else
// English. Thread-safe.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace pingti {

enum class Language : uint8_t { kEnglish, kChinese };

// What the environment asks for: the first of PINGTI_LANG, LC_ALL, LC_MESSAGES, LANG that is set
// and not empty.
Language LanguageOfEnvironment();

Language CurrentLanguage();
// For tests and for output that must not depend on the locale (generated documentation).
void SetLanguage(Language language);

inline const char* Tr(const char* english, const char* chinese) {
  return CurrentLanguage() == Language::kChinese ? chinese : english;
}

// Tr with arguments; both texts are checked when compiled.
template <typename... Args>
std::string TrFormat(fmt::format_string<Args...> english, fmt::format_string<Args...> chinese,
                     Args&&... args) {
  const fmt::string_view text = CurrentLanguage() == Language::kChinese ? chinese : english;
  return fmt::vformat(text, fmt::make_format_args(args...));
}

// Cells that `text` (UTF-8) takes on a terminal: two for East Asian wide characters and emoji, none
// for combining marks and control characters. A byte that is no UTF-8 counts as one cell.
int DisplayWidth(std::string_view text);
// Cells of one code point.
int DisplayWidthOf(char32_t code_point);

// Decodes the code point that begins at text[at]; returns its length in bytes (at least 1; U+FFFD
// where invalid).
size_t DecodeUtf8(std::string_view text, size_t at, char32_t& code_point);

}  // namespace pingti
