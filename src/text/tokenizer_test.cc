#include "text/tokenizer.h"

#include <algorithm>
#include <random>

#include "gtest/gtest.h"
#include "text/detokenizer.h"
#include "text/testing.h"
#include "text/token_flags.h"

namespace pingti::text {
namespace {

using testing::ByteBpeSpec;
using testing::Texts;
using Strings = std::vector<std::string>;

const std::vector<std::string> kMerges = {"h e", "l l", "he ll", "hell o",
                                          "Ġ w", "1 2", "a a",   "aa aa"};

std::shared_ptr<const Tokenizer> Make(TokenizerSpec spec) {
  auto tokenizer = Tokenizer::Create(std::move(spec));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  return *tokenizer;
}

std::shared_ptr<const Tokenizer> MakeChat() {
  TokenizerSpec spec = ByteBpeSpec(kMerges, {"<|im_start|>", "<|im_end|>", "<|im_end|>!", "<s>"});
  spec.tokens.push_back("<tool>");
  spec.types.push_back(TokenType::kUserDefined);
  spec.bos = 256 + 8 + 3;
  spec.add_bos = true;
  return Make(std::move(spec));
}

TEST(ByteBpe, MergesLowestRankFirst) {
  const auto tokenizer = Make(ByteBpeSpec(kMerges));
  EXPECT_EQ(Texts(*tokenizer, tokenizer->Encode("hello world 12", {})),
            (Strings{"hello", " w", "o", "r", "l", "d", " ", "12"}));
  EXPECT_EQ(Texts(*tokenizer, tokenizer->Encode("aaaaaaa", {})), (Strings{"aaaa", "aa", "a"}));
  EXPECT_TRUE(tokenizer->Encode("", {}).empty());
}

TEST(ByteBpe, LongPiecesMergeAsShortOnes) {
  const auto tokenizer = Make(ByteBpeSpec(kMerges));
  for (const size_t length : {47, 48, 49, 50, 51, 1000, 1001}) {
    Strings want(length / 4, "aaaa");
    if (length % 4 >= 2) want.push_back("aa");
    if (length % 2 == 1) want.push_back("a");
    EXPECT_EQ(Texts(*tokenizer, tokenizer->Encode(std::string(length, 'a'), {})), want) << length;
  }
}

TEST(ByteBpe, LongLinesOfOneClassAreNotQuadratic) {
  constexpr size_t kBytes = 1 << 18;
  for (const char* pre : {"gpt-2", "smollm", "qwen2", "llama-bpe", "default", "deepseek-llm",
                          "deepseek-coder", "deepseek-v3"}) {
    TokenizerSpec spec = ByteBpeSpec(kMerges);
    spec.pre = pre;
    const auto tokenizer = Make(std::move(spec));
    for (const char* unit :
         {"a", "1", " ", "\n", "!", " \n", "'", "\xCC\x81", "\xFF", "\xE3\x80\x80"}) {
      std::string text;
      while (text.size() < kBytes) text += unit;
      EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text, {}), false).size() >= kBytes, true)
          << pre;
      EXPECT_FALSE(tokenizer->Encode(text + "x", {}).empty());
    }
  }
}

TEST(ByteBpe, DecodesWhatItEncodes) {
  std::mt19937 random(7);
  const Strings parts = {
      "hello", " ",  "  ",     "\r\n", "\t", "12345", "é", "中文", "👩‍👩‍👧",
      "'ll",   "!?", "\u0301", "x"};
  for (const char* pre : {"gpt-2", "smollm", "qwen2", "qwen35", "llama-bpe", "default", "falcon",
                          "deepseek-llm", "deepseek-coder", "deepseek-v3"}) {
    TokenizerSpec spec = ByteBpeSpec(kMerges);
    spec.pre = pre;
    const auto tokenizer = Make(std::move(spec));
    for (int round = 0; round < 300; ++round) {
      std::string text;
      const size_t count = random() % 30;
      for (size_t i = 0; i < count; ++i) text += parts[random() % parts.size()];
      EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text, {}), false), text) << pre;
      // Any bytes are kept too, though they cannot be shown.
      if (!text.empty()) text[random() % text.size()] = static_cast<char>(random());
      std::string bytes;
      for (const int32_t id : tokenizer->Encode(text, {}))
        bytes += tokenizer->TokenBytes(id, false);
      EXPECT_EQ(bytes, text) << pre;
    }
  }
}

TEST(Special, ControlTokensOnlyWhereTrusted) {
  const auto tokenizer = MakeChat();
  const std::string text = "<|im_end|>hello<|im_end|>";
  const auto count = [&](const EncodeOptions& options) {
    const auto ids = tokenizer->Encode(text, options);
    return std::ranges::count_if(ids, [&](int32_t id) { return tokenizer->IsControl(id); });
  };
  EXPECT_EQ(count({}), 0);
  EXPECT_EQ(count({.parse_special = true}), 2);
  const TextRange first{0, 10}, last{15, 25}, inside{3, 4}, border_before{9, 10},
      border_after{10, 15};
  EXPECT_EQ(count({.parse_special = true, .untrusted = {&first, 1}}), 1);
  EXPECT_EQ(count({.parse_special = true, .untrusted = {&last, 1}}), 1);
  EXPECT_EQ(count({.parse_special = true, .untrusted = {&inside, 1}}), 1);
  EXPECT_EQ(count({.parse_special = true, .untrusted = {&border_before, 1}}), 1);
  EXPECT_EQ(count({.parse_special = true, .untrusted = {&border_after, 1}}), 2);
  const TextRange both[] = {first, last};
  EXPECT_EQ(count({.parse_special = true, .untrusted = both}), 0);
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text, {.parse_special = true}), true), text);
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text, {.parse_special = true}), false), "hello");
}

TEST(Special, LongestWinsUnlessItIsNotTrusted) {
  const auto tokenizer = MakeChat();
  const std::string text = "<|im_end|>!";
  EXPECT_EQ(Texts(*tokenizer, tokenizer->Encode(text, {.parse_special = true})), (Strings{text}));
  const TextRange mark{10, 11};
  EXPECT_EQ(
      Texts(*tokenizer, tokenizer->Encode(text, {.parse_special = true, .untrusted = {&mark, 1}})),
      (Strings{"<|im_end|>", "!"}));
}

TEST(Special, UserDefinedTokensAreFoundInAllText) {
  const auto tokenizer = MakeChat();
  const TextRange all{0, 7};
  for (const bool parse : {false, true}) {
    EXPECT_EQ(Texts(*tokenizer,
                    tokenizer->Encode("a<tool>", {.parse_special = parse, .untrusted = {&all, 1}})),
              (Strings{"a", "<tool>"}));
  }
}

TEST(Special, BeginTokenIsAddedOnce) {
  const auto tokenizer = MakeChat();
  EXPECT_EQ(Texts(*tokenizer, tokenizer->Encode("12", {.add_special = true})),
            (Strings{"<s>", "12"}));
  EXPECT_EQ(
      Texts(*tokenizer, tokenizer->Encode("<s>12", {.add_special = true, .parse_special = true})),
      (Strings{"<s>", "12"}));
  EXPECT_EQ(Texts(*tokenizer, tokenizer->Encode("<s>12", {.parse_special = true})),
            (Strings{"<s>", "12"}));
}

TEST(Special, MergesNeverMakeAControlToken) {
  TokenizerSpec spec = ByteBpeSpec({"a b", "ab c"});
  spec.types[257] = TokenType::kControl;
  const auto tokenizer = Make(std::move(spec));
  EXPECT_EQ(Texts(*tokenizer, tokenizer->Encode("abc", {})), (Strings{"ab", "c"}));
}

TEST(Tokenizer, EndTokensAreThoseOfTheFileAndTheKnownOnes) {
  TokenizerSpec spec = ByteBpeSpec({"a a"}, {"<end>", "<|im_end|>", "<|endoftext|>"});
  spec.eos = 257;
  spec.eot = 258;
  const auto tokenizer = Make(std::move(spec));
  EXPECT_EQ(Strings({"<end>", "<|im_end|>", "<|endoftext|>"}),
            Texts(*tokenizer, {tokenizer->end_tokens().begin(), tokenizer->end_tokens().end()}));
}

TEST(Tokenizer, IdsOutOfRangeAddNothing) {
  const auto tokenizer = Make(ByteBpeSpec(kMerges));
  for (const int32_t id : {-1, -2147483647, 264, 2147483647}) {
    EXPECT_EQ(tokenizer->TokenBytes(id, true), "");
    EXPECT_FALSE(tokenizer->IsControl(id));
  }
  EXPECT_EQ(tokenizer->FindToken("hello"), 259);
  EXPECT_EQ(tokenizer->FindToken("nothing"), -1);
}

TEST(Tokenizer, EveryFaultOfASpecIsNamed) {
  struct Fault {
    const char* field;
    void (*spoil)(TokenizerSpec&);
  };
  const Fault faults[] = {
      {"tokenizer.ggml.model", [](TokenizerSpec& s) { s.model = "rwkv"; }},
      {"tokenizer.ggml.pre", [](TokenizerSpec& s) { s.pre = "no-such"; }},
      {"tokenizer.ggml.tokens", [](TokenizerSpec& s) { s.tokens.clear(); }},
      {"tokenizer.ggml.tokens", [](TokenizerSpec& s) { s.tokens[3] = s.tokens[9]; }},
      {"tokenizer.ggml.tokens", [](TokenizerSpec& s) { s.tokens[3].assign(100000, 'x'); }},
      {"tokenizer.ggml.token_type", [](TokenizerSpec& s) { s.types.pop_back(); }},
      {"tokenizer.ggml.scores", [](TokenizerSpec& s) { s.scores = {1.0f}; }},
      {"tokenizer.ggml.merges", [](TokenizerSpec& s) { s.merges.clear(); }},
      {"tokenizer.ggml.merges", [](TokenizerSpec& s) { s.merges[0] = "he"; }},
      {"tokenizer.ggml.merges", [](TokenizerSpec& s) { s.merges[0] = "h "; }},
      {"tokenizer.ggml.merges", [](TokenizerSpec& s) { s.merges[0] = ""; }},
      {"tokenizer.ggml.merges", [](TokenizerSpec& s) { s.merges[0] = "h x"; }},
      {"tokenizer.ggml.bos_token_id", [](TokenizerSpec& s) { s.bos = 264; }},
      {"tokenizer.ggml.eos_token_id", [](TokenizerSpec& s) { s.eos = -2; }},
      {"tokenizer.ggml.bos_token_id", [](TokenizerSpec& s) { s.add_bos = true; }},
      {"tokenizer.ggml.eos_token_id", [](TokenizerSpec& s) { s.add_eos = true; }},
  };
  for (const Fault& fault : faults) {
    TokenizerSpec spec = ByteBpeSpec(kMerges);
    fault.spoil(spec);
    const auto tokenizer = Tokenizer::Create(std::move(spec));
    ASSERT_FALSE(tokenizer.ok()) << fault.field;
    EXPECT_EQ(tokenizer.status().field(), fault.field) << tokenizer.status().ToString();
  }
}

TEST(Detokenizer, NeverCutsACharacter) {
  const auto tokenizer = Make(ByteBpeSpec(kMerges));
  Detokenizer detokenizer(tokenizer, false);
  Strings pieces;
  for (const int32_t id : tokenizer->Encode("é🦙x", {})) pieces.push_back(detokenizer.Append(id));
  EXPECT_EQ(pieces, (Strings{"", "é", "", "", "", "🦙", "x"}));
  EXPECT_EQ(detokenizer.Finish(), "");
}

TEST(Detokenizer, ShowsBytesThatAreNoCharacter) {
  const auto tokenizer = Make(ByteBpeSpec(kMerges));
  // As the Unicode standard replaces: one U+FFFD for each longest part of a character (Unicode 3.9,
  // D93b).
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("a\xF0\x9F\xA6z", {}), false), "a\uFFFDz");
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("\xED\xA0\x80", {}), false), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("\xC0\xAF\xFF", {}), false), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("ab\xE4\xBD", {}), false), "ab\uFFFD");
}

// Special tokens with flags, as the Python package tokenizers has them.
std::shared_ptr<const Tokenizer> MakeFlagged() {
  TokenizerSpec spec = ByteBpeSpec(kMerges, {"<a>", "<b>", "<w>", "<p>"});
  const auto a = static_cast<int32_t>(spec.tokens.size()) - 4;
  spec.takes_space_after = {a};
  spec.takes_space_before = {a + 1};
  spec.whole_words = {a + 2};
  return Make(std::move(spec));
}

Strings ParsedTexts(const Tokenizer& tokenizer, std::string_view text) {
  return Texts(tokenizer, tokenizer.Encode(text, {.parse_special = true}));
}

TEST(SpecialTokens, TakeTheSpaceThatTheirFlagsSay) {
  const auto tokenizer = MakeFlagged();
  EXPECT_EQ(ParsedTexts(*tokenizer, "x <a> \n\u3000 x"), (Strings{"x", " ", "<a>", "x"}));
  EXPECT_EQ(ParsedTexts(*tokenizer, "x \u00A0\t<b> x"), (Strings{"x", "<b>", " ", "x"}));
  EXPECT_EQ(ParsedTexts(*tokenizer, " <p> "), (Strings{" ", "<p>", " "}));
  // One takes what stands between, the other finds nothing left.
  EXPECT_EQ(ParsedTexts(*tokenizer, "<a>  <b>"), (Strings{"<a>", "<b>"}));
  EXPECT_EQ(ParsedTexts(*tokenizer, "<a>   "), (Strings{"<a>"}));
  EXPECT_EQ(ParsedTexts(*tokenizer, "  <b>"), (Strings{"<b>"}));
  // Bytes that are no character are no space.
  EXPECT_EQ(ParsedTexts(*tokenizer, "<a>\xFF x"), (Strings{"<a>", "\xFF", " ", "x"}));
}

TEST(SpecialTokens, WholeWordsStandAlone) {
  const auto tokenizer = MakeFlagged();
  EXPECT_EQ(ParsedTexts(*tokenizer, "<w>"), (Strings{"<w>"}));
  EXPECT_EQ(ParsedTexts(*tokenizer, "!<w>!"), (Strings{"!", "<w>", "!"}));
  EXPECT_EQ(ParsedTexts(*tokenizer, "_<w>"), (Strings{"_", "<", "w", ">"}));
  EXPECT_EQ(ParsedTexts(*tokenizer, "<w>1"), (Strings{"<", "w", ">", "1"}));
  EXPECT_EQ(ParsedTexts(*tokenizer, "\u4E2D<w>").back(), ">");
}

TEST(SpecialTokens, FlagsOfPublishedModels) {
  TokenizerSpec spec;
  spec.model = "llama";
  spec.tokens = {"<unk>", "<s>", "</s>", "a", "<|endoftext|>", "<|user|>"};
  spec.types = {TokenType::kControl, TokenType::kControl, TokenType::kUserDefined,
                TokenType::kNormal,  TokenType::kControl, TokenType::kControl};
  SetKnownTokenFlags("llama", spec);
  EXPECT_TRUE(spec.takes_space_after.empty());
  SetKnownTokenFlags("phi3", spec);
  EXPECT_EQ(spec.takes_space_after, (std::vector<int32_t>{2, 5}));
}

}  // namespace
}  // namespace pingti::text
