#include "text/string_index.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace pingti::text {

StringIndex::StringIndex(size_t count_max)
    : slots_(std::bit_ceil(std::max<size_t>(2 * count_max, 2))) {}

size_t StringIndex::Locate(std::string_view text) const {
  const size_t mask = slots_.size() - 1;
  size_t at = std::hash<std::string_view>{}(text)&mask;
  while (slots_[at].number >= 0 && slots_[at].text != text) at = (at + 1) & mask;
  return at;
}

std::optional<int32_t> StringIndex::Add(std::string_view text, int32_t number) {
  PT_CHECK(!slots_.empty() && number >= 0, "an index needs room and numbers from 0");
  Slot& slot = slots_[Locate(text)];
  if (slot.number >= 0) return slot.number;
  slot = {text, number};
  return std::nullopt;
}

int32_t StringIndex::Find(std::string_view text) const {
  return slots_.empty() ? -1 : slots_[Locate(text)].number;
}

}  // namespace pingti::text
