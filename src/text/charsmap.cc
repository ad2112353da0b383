#include "text/charsmap.h"

#include <algorithm>

namespace pingti::text {
namespace {

constexpr size_t kUnitBytes = 4;
constexpr size_t kBlobBytesMax = size_t{1} << 24;
// Compatibility decomposition makes at most 33 bytes of one character. The bound is what keeps a
// hostile map from making gigabytes of a short text.
constexpr size_t kReplacementBytesMax = 256;

uint32_t LoadUnit(std::string_view bytes, size_t at) {
  uint32_t unit = 0;
  for (size_t i = 0; i < kUnitBytes; ++i) {
    unit |= uint32_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  }
  return unit;
}

// A unit of the double array: an inner one has the label of the byte that leads to it, the way to
// its children, and whether one of them is a value; a value has the highest bit set.
constexpr uint32_t kValueBit = 1U << 31;
constexpr uint32_t LabelOf(uint32_t unit) { return unit & (kValueBit | 0xFF); }
constexpr bool HasValue(uint32_t unit) { return (unit >> 8 & 1) != 0; }
constexpr uint32_t OffsetOf(uint32_t unit) {
  constexpr uint32_t kFarBit = 1U << 9;  // the offset counts 256 units
  return (unit >> 10) << ((unit & kFarBit) != 0 ? 8 : 0);
}

Status MapError(const std::string& message) {
  constexpr const char* kKey = "tokenizer.ggml.precompiled_charsmap";
  return InvalidArgument(std::string(kKey) + ": " + message, kKey);
}

}  // namespace

Result<CharsMap> CharsMap::Parse(std::string_view blob) {
  CharsMap map;
  if (blob.empty()) return map;
  const std::string found = std::to_string(blob.size()) + " bytes";
  if (blob.size() > kBlobBytesMax) {
    return MapError(found + ", more than " + std::to_string(kBlobBytesMax));
  }
  if (blob.size() < kUnitBytes)
    return MapError("wanted the size of a trie at offset 0, found " + found);
  const size_t trie_bytes = LoadUnit(blob, 0);
  if (trie_bytes % kUnitBytes != 0 || trie_bytes == 0 || trie_bytes > blob.size() - kUnitBytes) {
    return MapError("the trie at offset 4 has " + std::to_string(trie_bytes) +
                    " bytes, wanted units of 4 within " + found);
  }
  map.units_.reserve(trie_bytes / kUnitBytes);
  for (size_t at = 0; at < trie_bytes; at += kUnitBytes)
    map.units_.push_back(LoadUnit(blob, kUnitBytes + at));
  map.replacements_ = blob.substr(kUnitBytes + trie_bytes);
  if (!map.replacements_.empty() && map.replacements_.back() != '\0') {
    return MapError("the last replacement does not end with a zero byte");
  }
  for (size_t begin = 0, end = 0; begin < map.replacements_.size(); begin = end + 1) {
    end = map.replacements_.find('\0', begin);
    if (end - begin > kReplacementBytesMax) {
      return MapError("the replacement at offset " +
                      std::to_string(kUnitBytes + trie_bytes + begin) + " has " +
                      std::to_string(end - begin) + " bytes, more than " +
                      std::to_string(kReplacementBytesMax));
    }
  }
  return map;
}

CharsMap::Rule CharsMap::Longest(std::string_view text) const {
  Rule longest;
  if (units_.empty()) return longest;
  size_t at = OffsetOf(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    at ^= byte;
    if (at >= units_.size() || LabelOf(units_[at]) != byte) break;
    const uint32_t unit = units_[at];
    at ^= OffsetOf(unit);
    if (!HasValue(unit) || at >= units_.size()) continue;
    const size_t place = units_[at] & ~kValueBit;
    if (place >= replacements_.size()) continue;
    const size_t end = replacements_.find('\0', place);
    longest = {i + 1, std::string_view(replacements_).substr(place, end - place)};
  }
  return longest;
}

}  // namespace pingti::text
