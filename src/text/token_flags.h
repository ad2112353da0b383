// What model files leave unsaid of their special tokens: GGUF has no place for the flags of the
// tokenizer.json that a model was published with. Pure.
#pragma once

#include <string_view>

#include "text/tokenizer.h"

namespace pingti::text {

// Sets the flags of `spec`'s special tokens for the published models of this architecture ("phi3",
// the file's general.architecture); leaves alone what is not known.
void SetKnownTokenFlags(std::string_view architecture, TokenizerSpec& spec);

}  // namespace pingti::text
