// SpecialMatcher: finds the tokens of a vocabulary that are matched as whole texts, before any
// other splitting: control tokens (where the text is trusted) and user-defined ones (everywhere).
// Immutable; thread-safe. Borrows the texts.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace pingti::text {

// A part of a text: a special token with the space that it takes, or the plain text between two.
struct TextSegment {
  size_t begin = 0;
  size_t end = 0;
  int32_t token = -1;  // -1: plain text
};

class SpecialMatcher final {
 public:
  explicit SpecialMatcher(const TokenizerSpec& spec);

  // The segments of `text` in order; the longest token wins where several begin at one place.
  std::vector<TextSegment> Split(std::string_view text, const EncodeOptions& options) const;

 private:
  struct Special {
    std::string_view text;
    int32_t token = -1;
    bool control = false;
    bool takes_space_before = false;
    bool takes_space_after = false;
    bool whole_word = false;
  };
  // The longest that begins at `pos`; control ones only up to `trusted_end`. Null: none.
  const Special* MatchAt(std::string_view text, size_t pos, size_t trusted_end) const;

  std::vector<Special> specials_;  // ascending by text
  // Where the specials begin that start with this byte; [256] is the end.
  std::array<uint32_t, 257> first_{};
};

}  // namespace pingti::text
