// Small vocabularies for tests. Header only, so that nothing of it is in the library.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/tokenizer.h"
#include "text/unicode.h"

namespace pingti::text::testing {

// Byte-level BPE with a token for each byte (in the order of the bytes), one for each merge, then
// `control` ones. Merges are written as in model files ("h e"; U+0120 is the space).
inline TokenizerSpec ByteBpeSpec(std::vector<std::string> merges,
                                 std::vector<std::string> control = {}) {
  TokenizerSpec spec;
  spec.model = "gpt2";
  spec.pre = "gpt-2";
  char32_t unprintable = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    std::string token;
    AppendUtf8(printable ? byte : unprintable++, token);
    spec.tokens.push_back(token);
  }
  for (const std::string& merge : merges) {
    const size_t space = merge.find(' ', 1);
    spec.tokens.push_back(merge.substr(0, space) + merge.substr(space + 1));
  }
  spec.types.assign(spec.tokens.size(), TokenType::kNormal);
  for (std::string& text : control) {
    spec.tokens.push_back(std::move(text));
    spec.types.push_back(TokenType::kControl);
  }
  spec.merges = std::move(merges);
  return spec;
}

inline std::vector<std::string> Texts(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::vector<std::string> texts;
  for (const int32_t id : ids) texts.emplace_back(tokenizer.TokenBytes(id, true));
  return texts;
}

}  // namespace pingti::text::testing
