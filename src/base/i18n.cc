#include "base/i18n.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>

namespace pingti {
namespace {

// -1: not decided yet; else a Language.
std::atomic<int> g_language{-1};

struct Range {
  char32_t first, last;
};

// East Asian Wide and Fullwidth (UAX #11) and emoji, coarse: enough to place a cursor.
constexpr std::array<Range, 20> kWide = {
    {{0x1100, 0x115F}, {0x231A, 0x231B}, {0x23E9, 0x23EC}, {0x25FD, 0x25FE}, {0x2614, 0x2615},
     {0x26A1, 0x26A1}, {0x2705, 0x2705}, {0x274C, 0x274C}, {0x2728, 0x2728}, {0x2E80, 0x303E},
     {0x3041, 0x33FF}, {0x3400, 0x4DBF}, {0x4E00, 0xA4CF}, {0xA960, 0xA97F}, {0xAC00, 0xD7A3},
     {0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x3FFFD}}};

constexpr std::array<Range, 8> kZeroWidth = {{{0x0300, 0x036F},
                                              {0x200B, 0x200F},
                                              {0x202A, 0x202E},
                                              {0x2060, 0x2064},
                                              {0x20D0, 0x20FF},
                                              {0xFE00, 0xFE0F},
                                              {0xFE20, 0xFE2F},
                                              {0xFEFF, 0xFEFF}}};

template <size_t N>
bool In(const std::array<Range, N>& ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](Range r) { return c >= r.first && c <= r.last; });
}

}  // namespace

Language LanguageOfEnvironment() {
  for (const char* name : {"PINGTI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    return std::string_view(value).starts_with("zh") ? Language::kChinese : Language::kEnglish;
  }
  return Language::kEnglish;
}

Language CurrentLanguage() {
  int language = g_language.load(std::memory_order_relaxed);
  if (language < 0) {
    language = static_cast<int>(LanguageOfEnvironment());
    g_language.store(language, std::memory_order_relaxed);
  }
  return static_cast<Language>(language);
}

void SetLanguage(Language language) {
  g_language.store(static_cast<int>(language), std::memory_order_relaxed);
}

int DisplayWidthOf(char32_t c) {
  if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return 0;
  if (c < 0x300) return 1;
  if (In(kZeroWidth, c)) return 0;
  return In(kWide, c) ? 2 : 1;
}

size_t DecodeUtf8(std::string_view text, size_t at, char32_t& code_point) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  code_point = 0xFFFD;
  const unsigned char lead = byte(at);
  if (lead < 0x80) {
    code_point = lead;
    return 1;
  }
  const size_t length = lead >= 0xF0 && lead <= 0xF4  ? 4
                        : lead >= 0xE0 && lead < 0xF0 ? 3
                        : lead >= 0xC2 && lead < 0xE0 ? 2
                                                      : 0;
  if (length == 0 || at + length > text.size()) return 1;
  char32_t value = lead & (0xFFU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 1;
    value = value << 6 | (byte(at + i) & 0x3FU);
  }
  code_point = value;
  return length;
}

int DisplayWidth(std::string_view text) {
  int width = 0;
  for (size_t at = 0; at < text.size();) {
    char32_t c = 0;
    at += DecodeUtf8(text, at, c);
    width += DisplayWidthOf(c);
  }
  return width;
}

}  // namespace pingti
