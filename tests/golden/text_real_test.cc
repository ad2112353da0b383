// Tokenizers and chat templates of real model files against vectors and renderings of Python's. The
// files are not in the repository: PINGTI_DATA and PINGTI_MODELS name the folders, and `./pingti
// test --full` brings vocabularies into .deps/vocabularies; what is absent is skipped.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "formats/model_file.h"
#include "gtest/gtest.h"
#include "runtime/bundle.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace pingti::text {
namespace {

namespace fs = std::filesystem;

// The file in one of the folders that the environment names, or an empty path.
fs::path Locate(const std::string& name) {
  for (const char* variable : {"PINGTI_DATA", "PINGTI_MODELS"}) {
    const char* folder = std::getenv(variable);
    if (folder == nullptr) continue;
    for (const fs::path& path : {fs::path(folder) / name, fs::path(folder) / "tokenizer" / name}) {
      if (fs::exists(path)) return path;
    }
  }
  const fs::path fetched = fs::path(".deps/vocabularies") / name;
  return fs::exists(fetched) ? fetched : fs::path();
}

struct Vectors {
  const char* name;        // ggml-vocab-<name>.gguf.inp and .out
  const char* vocabulary;  // a file that has the vocabulary
  bool lossless = true;
};

void PrintTo(const Vectors& vectors, std::ostream* out) { *out << vectors.name; }

class RealTokenizer : public testing::TestWithParam<Vectors> {};

TEST_P(RealTokenizer, GivesTheVectors) {
  const std::string base = std::string("ggml-vocab-") + GetParam().name + ".gguf";
  const fs::path input = Locate(base + ".inp"), output = Locate(base + ".out"),
                 vocabulary = Locate(GetParam().vocabulary);
  if (input.empty() || output.empty())
    GTEST_SKIP() << "neither PINGTI_DATA nor .deps/vocabularies holds " << base << ".inp";
  if (vocabulary.empty())
    GTEST_SKIP() << "neither PINGTI_DATA, PINGTI_MODELS nor .deps/vocabularies holds "
                 << GetParam().vocabulary;
  const auto file = formats::OpenModelFile(vocabulary);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  const auto tokenizer = runtime::MakeTokenizer(**file);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();

  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::string texts = *ReadFile(input);
  std::istringstream lines(*ReadFile(output));
  size_t count = 0;
  for (size_t begin = 0, end; (end = texts.find(separator, begin)) != std::string::npos;
       begin = end + separator.size()) {
    const std::string text = texts.substr(begin, end - begin);
    std::string line;
    std::getline(lines, line);
    std::istringstream numbers(line);
    std::vector<int32_t> wanted;
    for (int32_t number; numbers >> number;) wanted.push_back(number);
    const std::vector<int32_t> found = (*tokenizer)->Encode(text, {});
    EXPECT_EQ(found, wanted) << text;
    if (GetParam().lossless) {
      EXPECT_EQ((*tokenizer)->Decode(found, false), text);
    }
    ++count;
  }
  EXPECT_GE(count, 46u);
}

INSTANTIATE_TEST_SUITE_P(
    Vocabularies, RealTokenizer,
    testing::Values(Vectors{"llama-spm", "ggml-vocab-llama-spm.gguf"},
                    Vectors{"phi-3", "ggml-vocab-phi-3.gguf"},
                    Vectors{"bert-bge", "ggml-vocab-bert-bge.gguf", false},
                    Vectors{"gpt-2", "ggml-vocab-gpt-2.gguf"},
                    Vectors{"mpt", "ggml-vocab-mpt.gguf"},
                    Vectors{"refact", "ggml-vocab-refact.gguf"},
                    Vectors{"starcoder", "ggml-vocab-starcoder.gguf"},
                    Vectors{"falcon", "ggml-vocab-falcon.gguf"},
                    Vectors{"command-r", "ggml-vocab-command-r.gguf"},
                    Vectors{"llama-bpe", "ggml-vocab-llama-bpe.gguf"},
                    Vectors{"qwen2", "ggml-vocab-qwen2.gguf"},
                    Vectors{"qwen35", "ggml-vocab-qwen35.gguf"},
                    Vectors{"deepseek-llm", "ggml-vocab-deepseek-llm.gguf"},
                    Vectors{"deepseek-coder", "ggml-vocab-deepseek-coder.gguf"},
                    Vectors{"deepseek-r1-qwen", "deepseek-r1-distill-qwen.vocab.gguf"},
                    Vectors{"qwen2", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"}));

// tests/golden/templates/real_rendered.json: what Python's jinja2 makes of the templates in these
// files.
TEST(RealTemplates, RenderAsInPython) {
  const json::value texts = *ParseJson(*ReadFile("tests/golden/templates/conversations.json"));
  std::map<std::string, json::value> conversations;
  for (const json::value& conversation : texts.as_array()) {
    conversations[std::string(conversation.at("name").as_string())] = conversation;
  }
  std::map<std::string, std::shared_ptr<const ChatTemplate>> templates;
  size_t compared = 0;
  const json::value golden = *ParseJson(*ReadFile("tests/golden/templates/real_rendered.json"));
  for (const json::value& row : golden.as_array()) {
    const std::string name(row.at("file").as_string());
    const fs::path path = Locate(name);
    if (path.empty()) continue;
    if (!templates.contains(name)) {
      const auto file = formats::OpenModelFile(path);
      ASSERT_TRUE(file.ok()) << file.status().ToString();
      const auto tokenizer = runtime::MakeTokenizer(**file);
      std::vector<std::string> control;
      if (tokenizer.ok()) control = ControlTexts(**tokenizer);
      const auto compiled =
          ChatTemplate::Compile((*file)->String("tokenizer.chat_template")->value_or(""),
                                std::string(row.at("bos").as_string()),
                                std::string(row.at("eos").as_string()), std::move(control));
      ASSERT_TRUE(compiled.ok()) << compiled.status().ToString();
      templates[name] = *compiled;
    }
    const json::value& conversation =
        conversations.at(std::string(row.at("conversation").as_string()));
    SCOPED_TRACE(name + ": " + json::serialize(conversation));
    ChatInput input;
    input.messages = conversation.at("messages").as_array();
    if (const json::value* tools = conversation.as_object().if_contains("tools"))
      input.tools = tools->as_array();
    if (const json::value* prompt = conversation.as_object().if_contains("add_generation_prompt")) {
      input.add_generation_prompt = prompt->as_bool();
    }
    const auto prompt = templates[name]->Render(input);
    ++compared;
    if (row.as_object().contains("error")) {
      EXPECT_FALSE(prompt.ok()) << prompt->text;
      continue;
    }
    ASSERT_TRUE(prompt.ok()) << prompt.status().ToString();
    EXPECT_EQ(prompt->text, std::string(row.at("rendered").as_string()));
  }
  if (compared == 0)
    GTEST_SKIP() << "neither PINGTI_DATA nor PINGTI_MODELS holds a file with a template";
}

}  // namespace
}  // namespace pingti::text
