#include "text/unicode.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace pingti::text {
namespace {

struct ClassRun {
  uint32_t first;
  uint8_t value;
};

struct FoldRun {
  uint32_t first;
  uint32_t last;
  uint8_t stride;
  int32_t delta;
};

struct FoldSeveral {
  uint32_t code;
  uint32_t target[4];
};

#include "text/unicode_tables.inc"

// What a first byte says: how many bytes follow it, and between what the second must lie (so that
// overlong forms, surrogates and codes beyond U+10FFFF are refused at the earliest byte).
struct Lead {
  uint8_t following;
  uint8_t second_min;
  uint8_t second_max;
};

constexpr Lead LeadOf(uint8_t byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {3, 0x80, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {0, 0, 0};
}

// The run that holds `code`, or null.
const FoldRun* FindRun(const FoldRun* begin, const FoldRun* end, char32_t code) {
  const FoldRun* after = std::upper_bound(
      begin, end, code, [](char32_t value, const FoldRun& run) { return value < run.first; });
  // Runs of stride 2 interleave, so that the one before the last may be the one.
  for (int back = 1; back <= 2 && after - back >= begin; ++back) {
    const FoldRun& run = after[-back];
    if (code <= run.last && (code - run.first) % run.stride == 0) return &run;
  }
  return nullptr;
}

constexpr char32_t kHangulFirst = 0xAC00;
constexpr char32_t kHangulLast = 0xD7A3;

// Canonical decomposition of a Hangul syllable (Unicode 3.12): leading consonant, vowel, trailing
// consonant.
void AppendHangul(char32_t code, std::u32string& out) {
  constexpr char32_t kVowels = 21, kTrailing = 28;
  const char32_t index = code - kHangulFirst;
  out += static_cast<char32_t>(0x1100 + index / (kVowels * kTrailing));
  out += static_cast<char32_t>(0x1161 + index % (kVowels * kTrailing) / kTrailing);
  if (index % kTrailing != 0) out += static_cast<char32_t>(0x11A7 + index % kTrailing);
}

}  // namespace

Utf8Char DecodeUtf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1, Utf8State::kValid};
  const Lead lead = LeadOf(first);
  if (lead.following == 0) return {kReplacement, 1, Utf8State::kInvalid};
  char32_t code = first & (0x3Fu >> lead.following);
  for (uint8_t i = 1; i <= lead.following; ++i) {
    if (i >= text.size()) return {kReplacement, i, Utf8State::kIncomplete};
    const uint8_t least = i == 1 ? lead.second_min : uint8_t{0x80};
    const uint8_t most = i == 1 ? lead.second_max : uint8_t{0xBF};
    if (byte(i) < least || byte(i) > most) return {kReplacement, i, Utf8State::kInvalid};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  return {code, static_cast<uint8_t>(lead.following + 1), Utf8State::kValid};
}

void AppendUtf8(char32_t code, std::string& out) {
  const auto put = [&out](char32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

size_t AppendValidUtf8(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const Utf8Char next = DecodeUtf8(text);
    if (next.state == Utf8State::kIncomplete) return text.size();
    if (next.state == Utf8State::kValid) {
      out.append(text.substr(0, next.bytes));
    } else {
      out.append(kReplacementUtf8);
    }
    text.remove_prefix(next.bytes);
  }
  return 0;
}

const CharClasses& CharClasses::Get() {
  static const CharClasses classes;
  return classes;
}

CharClasses::CharClasses() {
  std::map<Page, uint16_t> known;
  const ClassRun* run = std::begin(kClassRuns);
  for (uint32_t page_index = 0; page_index < page_of_.size(); ++page_index) {
    Page page;
    for (uint32_t i = 0; i < page.size(); ++i) {
      const uint32_t code = page_index << 8 | i;
      while (run + 1 != std::end(kClassRuns) && run[1].first <= code) ++run;
      page[i] = run->value;
    }
    const auto [entry, added] = known.emplace(page, static_cast<uint16_t>(pages_.size()));
    if (added) pages_.push_back(page);
    page_of_[page_index] = entry->second;
  }
}

void AppendFolded(char32_t code, std::u32string& out) {
  if (code < 0x80) {
    out += code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
    return;
  }
  if (code >= kHangulFirst && code <= kHangulLast) return AppendHangul(code, out);
  if (const FoldRun* run = FindRun(std::begin(kFoldRuns), std::end(kFoldRuns), code)) {
    out += static_cast<char32_t>(static_cast<int32_t>(code) + run->delta);
    return;
  }
  if (FindRun(std::begin(kFoldDropped), std::end(kFoldDropped), code) != nullptr) return;
  const FoldSeveral* several =
      std::lower_bound(std::begin(kFoldSeveral), std::end(kFoldSeveral), code,
                       [](const FoldSeveral& entry, char32_t value) { return entry.code < value; });
  if (several == std::end(kFoldSeveral) || several->code != code) {
    out += code;
    return;
  }
  for (const uint32_t target : several->target) {
    if (target != 0) out += static_cast<char32_t>(target);
  }
}

}  // namespace pingti::text
