// Pretokenizer: cuts a text into the pieces within which byte-level BPE merges. The splitters are
// written by hand, one for each pattern that published models use: no regex engine, linear time on
// any input. Immutable; thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace pingti::text {

class Pretokenizer final {
 public:
  // Null where no pre-tokenizer has this name.
  static const Pretokenizer* Find(std::string_view name);
  // All names, for error messages: "gpt-2, smollm, ...".
  static std::string Names();

  // The end of each piece, ascending; the last is text.size(). None is empty. Invalid UTF-8 counts
  // as characters of no class.
  std::vector<size_t> Split(std::string_view text) const;
  // A piece that is a token of the vocabulary is taken whole, without merging.
  bool whole_pieces_first() const { return whole_pieces_first_; }

  // One pattern of the sequence. Each cuts the pieces that the ones before it left.
  struct Step;

  constexpr Pretokenizer(std::string_view name, std::span<const Step> steps,
                         bool whole_pieces_first)
      : name_(name), steps_(steps), whole_pieces_first_(whole_pieces_first) {}

 private:
  std::string_view name_;
  std::span<const Step> steps_;
  bool whole_pieces_first_;
};

}  // namespace pingti::text
