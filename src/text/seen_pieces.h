// SeenPieces: a small cache within the encoding of one text. Not shared; borrows the text.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

namespace pingti::text {

// Pieces met earlier in the same text, with the place of their tokens in the output: most words of
// a long text have been seen before.
class SeenPieces final {
 public:
  explicit SeenPieces(size_t text_bytes) : entries_(text_bytes >= kTextBytesMin ? kEntries : 0) {}

  // The tokens of an equal piece as [begin, end) of the output, or an empty range.
  struct Place {
    size_t begin = 0;
    size_t end = 0;
  };
  Place Find(std::string_view piece) {
    if (entries_.empty() || piece.size() > kPieceBytesMax) return {};
    Entry& entry = entries_[SlotOf(piece)];
    return entry.piece == piece ? entry.place : Place{};
  }
  void Put(std::string_view piece, Place place) {
    if (entries_.empty() || piece.size() > kPieceBytesMax) return;
    entries_[SlotOf(piece)] = {piece, place};
  }

 private:
  static constexpr size_t kTextBytesMin = 512;
  static constexpr size_t kPieceBytesMax = 64;
  static constexpr size_t kEntries = 4096;
  struct Entry {
    std::string_view piece;
    Place place;
  };
  static size_t SlotOf(std::string_view piece) {
    return std::hash<std::string_view>{}(piece) % kEntries;
  }
  std::vector<Entry> entries_;
};

}  // namespace pingti::text
