#include "text/special_matcher.h"

#include <algorithm>

#include "text/unicode.h"

namespace pingti::text {
namespace {

uint8_t ClassAtStart(std::string_view text) { return CharClasses::Get().Of(DecodeUtf8(text).code); }

// The text from its last character on; all of it where that is not whole.
std::string_view LastChar(std::string_view text) {
  constexpr size_t kCharBytesMax = 4;
  for (size_t bytes = 1; bytes <= std::min(kCharBytesMax, text.size()); ++bytes) {
    const std::string_view last = text.substr(text.size() - bytes);
    const Utf8Char decoded = DecodeUtf8(last);
    if (decoded.state == Utf8State::kValid && decoded.bytes == bytes) return last;
  }
  return text;
}

// Bytes of white space with which the text starts, and ends.
size_t SpaceAtStart(std::string_view text) {
  const size_t bytes = text.size();
  while (!text.empty() && (ClassAtStart(text) & kSpace) != 0)
    text.remove_prefix(DecodeUtf8(text).bytes);
  return bytes - text.size();
}

size_t SpaceAtEnd(std::string_view text) {
  const size_t bytes = text.size();
  while (!text.empty()) {
    const std::string_view last = LastChar(text);
    if ((ClassAtStart(last) & kSpace) == 0) break;
    text.remove_suffix(last.size());
  }
  return bytes - text.size();
}

// \w of the regular expressions in which these flags are defined.
bool IsWordChar(std::string_view text) {
  return text.starts_with('_') || (ClassAtStart(text) & (kLetter | kMark | kNumber)) != 0;
}

bool StandsAlone(std::string_view text, TextRange range) {
  const std::string_view before = text.substr(0, range.begin), after = text.substr(range.end);
  return (before.empty() || !IsWordChar(LastChar(before))) && (after.empty() || !IsWordChar(after));
}

}  // namespace

SpecialMatcher::SpecialMatcher(const TokenizerSpec& spec) {
  for (size_t id = 0; id < spec.types.size(); ++id) {
    const TokenType type = spec.types[id];
    const bool control = type == TokenType::kControl || type == TokenType::kUnknown;
    if ((!control && type != TokenType::kUserDefined) || spec.tokens[id].empty()) continue;
    const auto token = static_cast<int32_t>(id);
    specials_.push_back(
        {.text = spec.tokens[id],
         .token = token,
         .control = control,
         .takes_space_before = std::ranges::binary_search(spec.takes_space_before, token),
         .takes_space_after = std::ranges::binary_search(spec.takes_space_after, token),
         .whole_word = std::ranges::binary_search(spec.whole_words, token)});
  }
  std::ranges::sort(specials_, {}, &Special::text);
  uint32_t next = 0;
  for (uint32_t byte = 0; byte < first_.size() - 1; ++byte) {
    first_[byte] = next;
    while (next < specials_.size() && static_cast<uint8_t>(specials_[next].text[0]) == byte) ++next;
  }
  first_.back() = next;
}

const SpecialMatcher::Special* SpecialMatcher::MatchAt(std::string_view text, size_t pos,
                                                       size_t trusted_end) const {
  const auto byte = static_cast<uint8_t>(text[pos]);
  auto begin = specials_.begin() + first_[byte];
  auto end = specials_.begin() + first_[byte + 1u];
  const Special* longest = nullptr;
  // [begin, end) are those that agree with the text's first `length` bytes.
  for (size_t length = 1; begin != end; ++length) {
    if (begin->text.size() == length) {
      if (!begin->control || pos + length <= trusted_end) longest = &*begin;
      ++begin;
    }
    if (pos + length >= text.size()) break;
    const auto byte_at = [length](const Special& special) {
      return static_cast<uint8_t>(special.text[length]);
    };
    const auto agreeing =
        std::ranges::equal_range(begin, end, static_cast<uint8_t>(text[pos + length]), {}, byte_at);
    begin = agreeing.begin();
    end = agreeing.end();
  }
  return longest;
}

std::vector<TextSegment> SpecialMatcher::Split(std::string_view text,
                                               const EncodeOptions& options) const {
  std::vector<TextSegment> segments;
  size_t plain = 0;
  auto untrusted = options.untrusted.begin();
  for (size_t pos = 0; pos < text.size();) {
    const auto byte = static_cast<uint8_t>(text[pos]);
    if (first_[byte] == first_[byte + 1u]) {
      ++pos;
      continue;
    }
    while (untrusted != options.untrusted.end() && untrusted->end <= pos) ++untrusted;
    size_t trusted_end = options.parse_special ? text.size() : pos;
    if (untrusted != options.untrusted.end()) {
      trusted_end = std::min(trusted_end, std::max(pos, untrusted->begin));
    }
    const Special* special = MatchAt(text, pos, trusted_end);
    if (special == nullptr ||
        (special->whole_word && !StandsAlone(text, {pos, pos + special->text.size()}))) {
      ++pos;
      continue;
    }
    size_t begin = pos, end = pos + special->text.size();
    if (special->takes_space_before) begin -= SpaceAtEnd(text.substr(plain, begin - plain));
    if (special->takes_space_after) end += SpaceAtStart(text.substr(end));
    if (begin > plain) segments.push_back({plain, begin});
    segments.push_back({begin, end, special->token});
    pos = plain = end;
  }
  if (plain < text.size()) segments.push_back({plain, text.size()});
  return segments;
}

}  // namespace pingti::text
