#include "runtime/bundle.h"

#include "formats/testing/gguf_writer.h"
#include "gtest/gtest.h"
#include "models/generation_defaults.h"
#include "models/testing/temp_model.h"

namespace pingti::runtime {
namespace {

using formats::testing::GgufWriter;
using models::testing::TempFolder;

constexpr int kHidden = 32;
constexpr int kLayers = 1;

// The 256 byte characters of byte-level BPE as UTF-8, and a few tokens after them.
std::vector<std::string> Vocabulary() {
  std::vector<std::string> tokens;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const int code = printable ? byte : next++;
    tokens.push_back(code < 128 ? std::string(1, static_cast<char>(code))
                                : std::string{static_cast<char>(0xC0 | code >> 6),
                                              static_cast<char>(0x80 | (code & 63))});
  }
  tokens.emplace_back("ab");
  tokens.emplace_back("<end>");
  return tokens;
}

struct TinyModel {
  std::vector<std::string> tokens = Vocabulary();
  uint64_t rows = 0;  // of the embedding; 0: one for each token
  GgufWriter writer;  // keys of the test's own; Bytes() adds the rest to a copy

  static void AddMatrix(GgufWriter& out, const std::string& name, uint64_t cols,
                        uint64_t row_count) {
    out.AddF32(name, {cols, row_count}, std::vector<float>(cols * row_count, 0.01F));
  }

  std::string Bytes() const {
    GgufWriter out = writer;
    const uint64_t vocab = rows == 0 ? tokens.size() : rows;
    out.AddString("general.architecture", "llama").Add("llama.block_count", kLayers);
    out.Add("llama.embedding_length", kHidden).Add("llama.attention.head_count", 2);
    out.Add("llama.feed_forward_length", kHidden).Add("llama.context_length", 64);
    out.Add("llama.attention.layer_norm_rms_epsilon", 1e-5F);
    std::vector<int32_t> types(tokens.size(), 1);
    types.back() = 3;
    out.AddString("tokenizer.ggml.model", "gpt2").AddString("tokenizer.ggml.pre", "gpt-2");
    out.AddStrings("tokenizer.ggml.tokens", tokens).AddStrings("tokenizer.ggml.merges", {"a b"});
    out.AddArray("tokenizer.ggml.token_type", types);
    AddMatrix(out, "token_embd.weight", kHidden, vocab);
    for (const char* norm :
         {"output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"}) {
      out.AddF32(norm, {kHidden}, std::vector<float>(kHidden, 1.0F));
    }
    for (const char* name :
         {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
      AddMatrix(out, "blk.0." + std::string(name) + ".weight", kHidden, kHidden);
    }
    return out.Bytes();
  }
};

class BundleTest : public ::testing::Test {
 protected:
  Result<Bundle> Load(const TinyModel& model) {
    models::LoadOptions options;
    options.rows_max = 8;
    return LoadBundle(folder_.Write("tiny.gguf", model.Bytes()), ctx_, options);
  }
  void ExpectError(const TinyModel& model, std::string_view wanted) {
    const Result<Bundle> bundle = Load(model);
    ASSERT_FALSE(bundle.ok()) << "wanted: " << wanted;
    EXPECT_NE(bundle.status().message().find(wanted), std::string::npos)
        << bundle.status().message();
  }

  TempFolder folder_;
  ThreadPool pool_{{.threads = 1, .pin = false}};
  kernels::KernelTable table_ = kernels::ReferenceTable();
  ops::Context ctx_ = {.pool = pool_, .kernels = table_};
};

TEST_F(BundleTest, LoadsAllThatTheFileSays) {
  TinyModel model;
  model.writer.AddString("general.name", "Tiny").Add("tokenizer.ggml.eos_token_id", uint32_t{257});
  model.writer.Add("tokenizer.ggml.bos_token_id", ~uint32_t{0});
  model.writer.AddString("tokenizer.chat_template", "{{ messages[0].content }}{{ eos_token }}");
  const Result<Bundle> bundle = Load(model);
  ASSERT_TRUE(bundle.ok()) << bundle.status().ToString();
  EXPECT_EQ(bundle->name, "tiny");
  EXPECT_EQ(bundle->tokenizer->Encode("abc", {}), (std::vector<int32_t>{256, 'c'}));
  EXPECT_EQ(bundle->tokenizer->spec().eos, 257);
  EXPECT_EQ(bundle->tokenizer->spec().bos, -1);
  EXPECT_EQ(bundle->model->shape().vocab_size, 258);
  EXPECT_EQ(bundle->defaults.temperature, 1.0F);
  ASSERT_NE(bundle->chat_template, nullptr);
  text::ChatInput input;
  input.messages = {{{"role", "user"}, {"content", "hi"}}};
  EXPECT_EQ(bundle->chat_template->Render(input)->text, "hi<end>");
}

TEST_F(BundleTest, NameIsTheFilesStemAndTheTemplateMayBeAbsent) {
  TinyModel model;
  const Result<Bundle> bundle = Load(model);
  ASSERT_TRUE(bundle.ok()) << bundle.status().ToString();
  EXPECT_EQ(bundle->name, "tiny");
  EXPECT_EQ(bundle->chat_template, nullptr);
}

TEST_F(BundleTest, VocabularyMustFitTheModel) {
  TinyModel padded;
  padded.rows = 320;
  EXPECT_TRUE(Load(padded).ok()) << "an embedding may have more rows than there are tokens";
  TinyModel small;
  small.rows = 200;
  ExpectError(small,
              "its vocabulary has 258 tokens, but its embedding (token_embd.weight) 200 rows");
  TinyModel other;
  other.rows = 258 + 1025;
  ExpectError(other, "tokenizer and weights are not of the same model");
}

TEST_F(BundleTest, WrongTokenizerKeysAreNamed) {
  TinyModel id;
  id.writer.Add("tokenizer.ggml.eos_token_id", uint32_t{258});
  ExpectError(id, "tokenizer.ggml.eos_token_id is 258, wanted an id below 258");
  TinyModel type;
  type.writer.AddString("tokenizer.ggml.add_bos_token", "yes");
  ExpectError(type, "tokenizer.ggml.add_bos_token");
  GgufWriter empty;
  const auto file = folder_.Open(empty);
  EXPECT_EQ(MakeTokenizer(*file).status().field(), "tokenizer.ggml.model");
}

TEST_F(BundleTest, DefaultsComeFromNameMetadataAndGenerationConfig) {
  TinyModel named;
  named.writer.AddString("general.name", "DeepSeek R1 Distill Qwen 1.5B");
  EXPECT_EQ(Load(named)->defaults.temperature, 0.6F);
  EXPECT_EQ(Load(named)->defaults.top_p, 0.95F);
  TinyModel keyed;
  keyed.writer.Add("general.sampling.temp", 0.3F).Add("general.sampling.top_k", 20);
  EXPECT_EQ(Load(keyed)->defaults.temperature, 0.3F);
  EXPECT_EQ(Load(keyed)->defaults.top_k, 20);
  folder_.Write("generation_config.json",
                R"({"temperature": 0.7, "top_p": 0.8, "eos_token_id": [1, 2], "top_k": null})");
  EXPECT_EQ(Load(keyed)->defaults.temperature, 0.7F);
  EXPECT_EQ(Load(keyed)->defaults.top_p, 0.8F);
  EXPECT_EQ(Load(keyed)->defaults.top_k, 20);
  folder_.Write("generation_config.json", R"({"do_sample": false})");
  TinyModel greedy;
  EXPECT_EQ(Load(greedy)->defaults.temperature, 0.0F);
  for (const char* wrong : {"{", "[]", R"({"temperature": "hot"})", R"({"top_p": 7})"}) {
    folder_.Write("generation_config.json", wrong);
    TinyModel model;
    EXPECT_FALSE(Load(model).ok()) << wrong;
  }
}

TEST(GenerationDefaults, MatchesWholeNamesInAnySpelling) {
  EXPECT_NE(models::FindGenerationDefaults("deepseek_r1_distill_llama_8b"), nullptr);
  EXPECT_EQ(models::FindGenerationDefaults("Qwen2.5 Coder"), nullptr);
}

}  // namespace
}  // namespace pingti::runtime
