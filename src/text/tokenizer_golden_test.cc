// tests/golden/tokenizers: tiny vocabularies with the ids and pieces that the Python package
// "tokenizers" gives.
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "gtest/gtest.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"

namespace pingti::text {
namespace {

json::value Load(const std::string& name) {
  const auto text = ReadFile("tests/golden/tokenizers/" + name);
  EXPECT_TRUE(text.ok()) << text.status().ToString();
  auto value = ParseJson(*text);
  EXPECT_TRUE(value.ok()) << name << ": " << value.status().ToString();
  return *std::move(value);
}

template <typename T>
std::vector<T> Values(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? std::vector<T>{} : json::value_to<std::vector<T>>(*value);
}

TokenizerSpec SpecOf(const json::object& golden) {
  TokenizerSpec spec;
  spec.model = std::string(golden.at("model").as_string());
  if (const json::value* pre = golden.if_contains("pre")) spec.pre = std::string(pre->as_string());
  if (const json::value* unknown = golden.if_contains("unknown"))
    spec.unknown = unknown->to_number<int32_t>();
  spec.tokens = Values<std::string>(golden, "tokens");
  spec.merges = Values<std::string>(golden, "merges");
  spec.scores = Values<float>(golden, "scores");
  for (const int type : Values<int>(golden, "types"))
    spec.types.push_back(static_cast<TokenType>(type));
  return spec;
}

class TokenizerGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(TokenizerGolden, GivesTheIdsOfPython) {
  const json::value value = Load(std::string(GetParam()) + ".json");
  const json::object& golden = value.as_object();
  const auto tokenizer = Tokenizer::Create(SpecOf(golden));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  const auto texts = Values<std::string>(golden, "texts");
  const auto ids = Values<std::vector<int32_t>>(golden, "ids");
  ASSERT_EQ(texts.size(), ids.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ((*tokenizer)->Encode(texts[i], {}), ids[i])
        << json::serialize(json::string(texts[i]));
    const bool lossless =
        (*tokenizer)->spec().model == "gpt2" || (*tokenizer)->spec().model == "llama";
    if (lossless) {
      EXPECT_EQ((*tokenizer)->Decode(ids[i], false), texts[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TokenizerGolden,
                         ::testing::Values("byte_bpe_gpt-2", "byte_bpe_smollm", "byte_bpe_qwen2",
                                           "byte_bpe_llama-bpe", "byte_bpe_deepseek-llm",
                                           "byte_bpe_deepseek-coder", "byte_bpe_deepseek-v3",
                                           "sentencepiece_bpe", "unigram", "wordpiece"));

TEST(PretokenizerGolden, CutsAsThePublishedPatterns) {
  const json::value golden = Load("splits.json");
  const auto texts = Values<std::string>(golden.as_object(), "texts");
  for (const auto& [name, rows] : golden.at("ends").as_object()) {
    const Pretokenizer* pretokenizer = Pretokenizer::Find(name);
    ASSERT_NE(pretokenizer, nullptr) << name;
    const auto ends = json::value_to<std::vector<std::vector<size_t>>>(rows);
    ASSERT_EQ(ends.size(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(pretokenizer->Split(texts[i]), ends[i])
          << name << " " << json::serialize(json::string(texts[i]));
    }
  }
}

}  // namespace
}  // namespace pingti::text
