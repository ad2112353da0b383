// What SentencePiece's kinds share: U+2581 for the space, byte tokens, and the bytes that a token
// stands for.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "text/charsmap.h"
#include "text/vocabulary.h"

namespace pingti::text {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581, lower one eighth block

class SentencePieceTokenizer : public VocabularyTokenizer {
 protected:
  SentencePieceTokenizer(TokenizerSpec spec_to_own, CharsMap charsmap);

  // The text by the rules of the model's normaliser, with marks for spaces, and one before it if
  // the model wants that.
  std::string Escape(std::string_view text) const;
  // The id of a piece that text may become, or -1: never a control, unknown or byte token.
  int32_t FindPiece(std::string_view piece) const;
  // What a piece that is no token becomes: its bytes where all of them are tokens, else the unknown
  // token if there is one.
  void AppendUnknown(std::string_view piece, std::vector<int32_t>& out) const;
  bool has_bytes() const { return has_bytes_; }
  size_t piece_bytes_max() const { return piece_bytes_max_; }

 private:
  std::string Normalize(std::string_view text) const;

  CharsMap charsmap_;
  std::array<int32_t, 256> byte_tokens_{};
  bool has_bytes_ = false;
  size_t piece_bytes_max_ = 0;
};

}  // namespace pingti::text
