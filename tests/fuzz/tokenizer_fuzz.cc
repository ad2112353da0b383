// Any bytes as text for each kind of tokenizer. Byte-level BPE loses nothing; no text makes a
// control token.
// layers: text
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "text/detokenizer.h"
#include "text/testing.h"
#include "text/tokenizer.h"

namespace {

using pingti::text::Tokenizer;
using pingti::text::TokenizerSpec;
using pingti::text::TokenType;
using Tokenizers = std::vector<std::shared_ptr<const Tokenizer>>;

TokenizerSpec WordSpec(const char* model) {
  TokenizerSpec spec;
  spec.model = model;
  spec.tokens = {"<unk>", "<end>"};
  spec.types = {TokenType::kUnknown, TokenType::kControl};
  for (const char* token :
       {"▁", "a", "b", "ab", "▁ab", "##b", "中", "▁▁", "é", "<", "end", "<end", ">"}) {
    spec.tokens.push_back(token);
    spec.types.push_back(TokenType::kNormal);
  }
  for (size_t id = 0; id < spec.tokens.size(); ++id) spec.scores.push_back(-static_cast<float>(id));
  spec.unknown = 0;
  return spec;
}

const Tokenizers& All() {
  static const Tokenizers all = [] {
    Tokenizers made;
    for (const char* pre : {"default", "gpt-2", "smollm", "falcon", "qwen2", "qwen35", "llama-bpe",
                            "deepseek-llm", "deepseek-coder", "deepseek-v3"}) {
      TokenizerSpec spec =
          pingti::text::testing::ByteBpeSpec({"a b", "Ġ a", "ab ab", "1 2"}, {"<end>"});
      spec.pre = pre;
      made.push_back(*Tokenizer::Create(std::move(spec)));
    }
    for (const char* model : {"llama", "t5", "bert"})
      made.push_back(*Tokenizer::Create(WordSpec(model)));
    return made;
  }();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto& tokenizer : All()) {
    std::string bytes;
    for (const int32_t id : tokenizer->Encode(text, {})) {
      if (id < 0 || id >= tokenizer->vocab_size() || tokenizer->IsControl(id)) __builtin_trap();
      bytes += tokenizer->TokenBytes(id, true);
    }
    if (tokenizer->spec().model == "gpt2" && bytes != text) __builtin_trap();
    const auto parsed = tokenizer->Encode(text, {.add_special = true, .parse_special = true});
    const std::string decoded = tokenizer->Decode(parsed, true);
    const pingti::text::TextRange all{0, size};
    for (const int32_t id :
         tokenizer->Encode(text, {.parse_special = true, .untrusted = {&all, 1}})) {
      if (tokenizer->IsControl(id)) __builtin_trap();
    }
  }
  return 0;
}
