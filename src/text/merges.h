// MergeTable: the merge rules of byte-level BPE, and the merging of one piece. Immutable after
// building; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pingti::text {

class MergeTable final {
 public:
  struct Pair {
    int32_t left = -1;
    int32_t right = -1;
  };
  struct Rule {
    uint32_t rank = kNone;  // lower is applied first
    int32_t token = -1;     // what the pair becomes
  };
  static constexpr uint32_t kNone = 0xFFFFFFFF;

  explicit MergeTable(size_t count_max);

  // The first rule of a pair counts.
  void Add(Pair pair, Rule rule);
  // rank kNone where the pair is not merged.
  Rule Find(Pair pair) const;

  // Applies the rules to `tokens`, lowest rank first, leftmost first among equals, until none fits.
  // O(n log n).
  void Merge(std::vector<int32_t>& tokens) const;

 private:
  struct Slot {
    Pair pair;  // left < 0: free
    Rule rule;
  };
  size_t Locate(Pair pair) const;
  void MergeShort(std::vector<int32_t>& tokens) const;
  void MergeLong(std::vector<int32_t>& tokens) const;

  std::vector<Slot> slots_;  // a power of two, at most half full
};

}  // namespace pingti::text
