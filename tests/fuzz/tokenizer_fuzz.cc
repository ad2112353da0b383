// Any bytes as text for each kind of tokenizer. Byte-level BPE loses nothing; no text makes a
// control token.
// layers: text
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "text/detokenizer.h"
#include "text/pretokenizer.h"
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

constexpr const char* kPretokenizers[] = {
    "default", "gpt-2",     "smollm",       "falcon",         "qwen2",
    "qwen35",  "llama-bpe", "deepseek-llm", "deepseek-coder", "deepseek-v3"};

// One for each splitter: byte-level BPE's own part is the same in all of them.
const Tokenizers& ByteBpes() {
  static const Tokenizers all = [] {
    Tokenizers made;
    for (const char* pre : kPretokenizers) {
      TokenizerSpec spec =
          pingti::text::testing::ByteBpeSpec({"a b", "Ġ a", "ab ab", "1 2"}, {"<end>"});
      spec.pre = pre;
      made.push_back(*Tokenizer::Create(std::move(spec)));
    }
    return made;
  }();
  return all;
}

const Tokenizers& Others() {
  static const Tokenizers all = [] {
    Tokenizers made;
    for (const char* model : {"llama", "t5", "bert"}) {
      TokenizerSpec spec = WordSpec(model);
      if (spec.model == "t5") {  // with all that its kind may be asked for
        spec.remove_extra_spaces = true;
        spec.takes_space_before = spec.takes_space_after = spec.whole_words = {1};
      }
      made.push_back(*Tokenizer::Create(std::move(spec)));
    }
    return made;
  }();
  return all;
}

void TrySplit(const std::string& text, const char* name) {
  size_t last = 0;
  for (const size_t end : pingti::text::Pretokenizer::Find(name)->Split(text)) {
    if (end <= last || end > text.size()) __builtin_trap();
    last = end;
  }
  if (last != text.size()) __builtin_trap();
}

void TryTokenizer(const std::string& text, const Tokenizer& tokenizer) {
  std::string bytes;
  const std::vector<int32_t> plain = tokenizer.Encode(text, {});
  for (const int32_t id : plain) {
    if (id < 0 || id >= tokenizer.vocab_size() || tokenizer.IsControl(id)) __builtin_trap();
    bytes += tokenizer.TokenBytes(id, true);
  }
  if (tokenizer.spec().model == "gpt2" && bytes != text) __builtin_trap();
  if (text.find("<end>") == std::string::npos) {  // then the options make no difference
    (void)tokenizer.Decode(plain, true);
    return;
  }
  const auto parsed = tokenizer.Encode(text, {.add_special = true, .parse_special = true});
  (void)tokenizer.Decode(parsed, true);
  const pingti::text::TextRange all{0, text.size()};
  for (const int32_t id : tokenizer.Encode(text, {.parse_special = true, .untrusted = {&all, 1}})) {
    if (tokenizer.IsControl(id)) __builtin_trap();
  }
}

// A sum of the bytes: chooses, and stays the same when the input is tried alone.
size_t SumOf(const std::string& text) {
  size_t sum = text.size();
  for (const char c : text) sum = sum * 31 + static_cast<unsigned char>(c);
  return sum;
}

}  // namespace

// Every splitter and every other kind sees every input; one byte-level tokenizer, in turn, carries
// it through. A long input goes to one of each only: few inputs are long, and all of them to all
// took most of the time.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kLongBytes = 256;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t sum = SumOf(text);
  const size_t chosen = sum % ByteBpes().size();
  for (size_t i = 0; i < std::size(kPretokenizers); ++i) {
    if (size <= kLongBytes && i != chosen) TrySplit(text, kPretokenizers[i]);
  }
  TryTokenizer(text, *ByteBpes()[chosen]);
  for (size_t i = 0; i < Others().size(); ++i) {
    if (size <= kLongBytes || i == sum % Others().size()) TryTokenizer(text, *Others()[i]);
  }
  return 0;
}
