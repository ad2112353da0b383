// CharsMap: SentencePiece's normaliser as its model files carry it ("precompiled_charsmap"): which
// texts become which, for example a full-width letter a plain one. Immutable; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pingti::text {

class CharsMap final {
 public:
  // No rules.
  CharsMap() = default;

  // The file's bytes: u32 size of the trie in bytes, the trie (u32 units of a double array,
  // little-endian), then the replacements, each ended by a zero byte. An error names what is wrong.
  // Lookups of any map that Parse takes stay in bounds and end.
  static Result<CharsMap> Parse(std::string_view blob);

  struct Rule {
    size_t bytes = 0;  // of the text that is replaced; 0: no rule
    std::string_view replacement;
  };
  // The longest rule for the start of `text`.
  Rule Longest(std::string_view text) const;
  bool empty() const { return units_.empty(); }

 private:
  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace pingti::text
