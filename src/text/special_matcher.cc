#include "text/special_matcher.h"

#include <algorithm>

namespace pingti::text {

SpecialMatcher::SpecialMatcher(const TokenizerSpec& spec) {
  for (size_t id = 0; id < spec.types.size(); ++id) {
    const TokenType type = spec.types[id];
    const bool control = type == TokenType::kControl || type == TokenType::kUnknown;
    if ((!control && type != TokenType::kUserDefined) || spec.tokens[id].empty()) continue;
    specials_.push_back({spec.tokens[id], static_cast<int32_t>(id), control});
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
    if (special == nullptr) {
      ++pos;
      continue;
    }
    if (pos > plain) segments.push_back({plain, pos});
    segments.push_back({pos, pos + special->text.size(), special->token});
    pos += special->text.size();
    plain = pos;
  }
  if (plain < text.size()) segments.push_back({plain, text.size()});
  return segments;
}

}  // namespace pingti::text
