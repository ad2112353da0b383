// Detokenizer: token ids to text, piece by piece; never emits part of a UTF-8 character. One per
// answer, not shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "text/tokenizer.h"

namespace pingti::text {

class Detokenizer final {
 public:
  Detokenizer(std::shared_ptr<const Tokenizer> tokenizer, bool keep_special);

  // The characters that `token` completes; empty while a character is incomplete. Bytes that can
  // never become valid UTF-8 come out as U+FFFD.
  std::string Append(int32_t token);
  // What is left at the end: U+FFFD for an incomplete character, or nothing.
  std::string Finish();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool keep_special_;
  bool first_ = true;       // SentencePiece: the text's first space is dropped
  std::string incomplete_;  // at most 3 bytes
};

}  // namespace pingti::text
