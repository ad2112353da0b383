// Any bytes as SentencePiece's normaliser: what Parse takes never leads a lookup out of bounds.
// layers: text
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "text/charsmap.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view blob(reinterpret_cast<const char*>(data), size);
  const auto map = pingti::text::CharsMap::Parse(blob);
  if (!map.ok()) return 0;
  // The texts that are looked up: common ones, and the map's own bytes, among which are its labels.
  constexpr size_t kOwnBytesMax = 256;
  for (std::string_view text :
       {std::string_view("abc \xEF\xBC\xA1\xE2\x91\xA0 \xFF"), blob.substr(0, kOwnBytesMax)}) {
    while (!text.empty()) {
      const auto rule = map->Longest(text);
      if (rule.bytes > text.size() || rule.replacement.size() > blob.size()) __builtin_trap();
      text.remove_prefix(rule.bytes > 0 ? rule.bytes : 1);
    }
  }
  return 0;
}
