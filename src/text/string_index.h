// StringIndex: from a string to its number, for a fixed list of strings that it borrows. A flat
// hash table, built once; reading is thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace pingti::text {

class StringIndex final {
 public:
  StringIndex() = default;
  explicit StringIndex(size_t count_max);

  // The number under which the string is known already, or nullopt where it has been added now.
  std::optional<int32_t> Add(std::string_view text, int32_t number);
  // -1 where it is not there.
  int32_t Find(std::string_view text) const;

 private:
  struct Slot {
    std::string_view text;
    int32_t number = -1;  // -1: free
  };
  size_t Locate(std::string_view text) const;

  std::vector<Slot> slots_;  // a power of two, at most half full
};

}  // namespace pingti::text
