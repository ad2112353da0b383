// What a model file leaves unsaid of its tokenizer, by the tokenizer's kind. Pure.
#pragma once

#include <string_view>

namespace pingti::text {

struct KindDefaults {
  bool add_bos = false;
  bool add_eos = false;
};

// `kind` as TokenizerSpec::model. SentencePiece BPE begins a text with bos, Unigram ends it with eos, WordPiece does both.
inline KindDefaults DefaultsOfKind(std::string_view kind) {
  if (kind == "llama") return {.add_bos = true, .add_eos = false};
  if (kind == "t5") return {.add_bos = false, .add_eos = true};
  if (kind == "bert") return {.add_bos = true, .add_eos = true};
  return {};
}

}  // namespace pingti::text
