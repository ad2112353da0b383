#include "text/token_flags.h"

#include <algorithm>
#include <array>

namespace pingti::text {
namespace {

// Models whose special tokens take the space after them, but for some.
struct Known {
  std::string_view architecture;
  std::string_view kind;  // TokenizerSpec::model: later models of an architecture have another one,
                          // without the flags
  std::array<std::string_view, 3> without;
};

constexpr std::array<Known, 1> kKnown = {{
    {"phi3", "llama", {"<unk>", "<s>", "<|endoftext|>"}},
}};

}  // namespace

void SetKnownTokenFlags(std::string_view architecture, TokenizerSpec& spec) {
  for (const Known& known : kKnown) {
    if (known.architecture != architecture || known.kind != spec.model) continue;
    for (size_t id = 0; id < spec.types.size() && id < spec.tokens.size(); ++id) {
      const bool special =
          spec.types[id] == TokenType::kControl || spec.types[id] == TokenType::kUserDefined;
      if (special && std::ranges::find(known.without, spec.tokens[id]) == known.without.end()) {
        spec.takes_space_after.push_back(static_cast<int32_t>(id));
      }
    }
  }
}

}  // namespace pingti::text
