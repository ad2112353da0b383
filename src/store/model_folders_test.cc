#include "store/model_folders.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace pingti::store {
namespace {

namespace fs = std::filesystem;

class ModelFoldersTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "pingti-folders-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { fs::remove_all(root_); }
  void Write(const std::string& path, const std::string& text = "x") {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::string Names() {
    std::string names;
    for (const FoundModel& model : ModelFolders({root_}).List()) names += model.name + " ";
    return names;
  }
  std::string Resolved(const std::string& name) {
    const auto path = ModelFolders({root_}).Resolve(name);
    return path.ok() ? path->lexically_relative(root_).generic_string()
                     : "error: " + path.status().message();
  }
  fs::path root_;
};

TEST_F(ModelFoldersTest, ListsEveryLayout) {
  Write("tiny.Q4_1.gguf", "1234");
  Write("Org/Name/name-q4_k_m.gguf");
  Write("Org/Name/name-q8_0-00001-of-00002.gguf", "12");
  Write("Org/Name/name-q8_0-00002-of-00002.gguf", "123");
  Write("Org/Full/config.json");
  Write("Org/Full/model.safetensors");
  Write("models--hf--repo/snapshots/abc/m.gguf");
  Write("models/ms/repo/n.gguf");
  Write("notes.txt");
  Write("half.gguf.part");
  EXPECT_EQ(Names(),
            "Org/Full Org/Name:name-q4_k_m Org/Name:name-q8_0 hf/repo:m ms/repo:n tiny.Q4_1 ");
  const auto models = ModelFolders({root_}).List();
  EXPECT_EQ(models[2].bytes, 5U);
  EXPECT_EQ(models[2].path.filename(), "name-q8_0-00001-of-00002.gguf");
}

TEST_F(ModelFoldersTest, ResolvesNamesAndPaths) {
  Write("tiny.Q4_1.gguf");
  Write("Org/Name/name-q4_k_m.gguf");
  Write("Org/Name/name-q8_0.gguf");
  Write("Other/Thing/thing.gguf");
  EXPECT_EQ(Resolved((root_ / "tiny.Q4_1.gguf").string()), "tiny.Q4_1.gguf");
  EXPECT_EQ(Resolved("tiny.q4_1"), "tiny.Q4_1.gguf");
  EXPECT_EQ(Resolved("tiny"), "tiny.Q4_1.gguf");
  EXPECT_EQ(Resolved("TINY.Q4_1.gguf"), "tiny.Q4_1.gguf");
  EXPECT_EQ(Resolved("Org/Name:name-q8_0"), "Org/Name/name-q8_0.gguf");
  EXPECT_EQ(Resolved("org/name:Q8_0"), "Org/Name/name-q8_0.gguf");
  EXPECT_EQ(Resolved("Other/Thing"), "Other/Thing/thing.gguf");
  EXPECT_EQ(Resolved("thing:thing"), "Other/Thing/thing.gguf");
  EXPECT_TRUE(Resolved("Org/Name").starts_with("error: 'Org/Name' may mean several models"));
  EXPECT_NE(Resolved("absent").find("pingti pull"), std::string::npos);
}

TEST_F(ModelFoldersTest, AnIncompleteRepositoryNamesWhatIsMissing) {
  Write("Org/Full/config.json");
  EXPECT_NE(Resolved("Org/Full").find("tokenizer.json is missing"), std::string::npos);
  Write("Org/Full/tokenizer.json");
  EXPECT_NE(Resolved("Org/Full").find("model.safetensors is missing"), std::string::npos);
  Write("Org/Full/model.safetensors");
  EXPECT_EQ(Resolved("Org/Full"), "Org/Full");
  EXPECT_TRUE(Resolved("../Org").starts_with("error: no model"));
}

TEST_F(ModelFoldersTest, NothingAtAll) {
  const auto nothing = ModelFolders({root_ / "absent"}).Resolve("x");
  ASSERT_FALSE(nothing.ok());
  EXPECT_NE(nothing.status().message().find("--model FILE"), std::string::npos);
}

TEST_F(ModelFoldersTest, FoldersOfTheHubsTools) {
  fs::create_directories(root_ / ".cache/huggingface/hub");
  fs::create_directories(root_ / "ms");
  unsetenv("HF_HUB_CACHE");
  unsetenv("HF_HOME");
  unsetenv("PINGTI_MODELS");
  setenv("MODELSCOPE_CACHE", (root_ / "ms").c_str(), 1);
  const ModelFolders folders = ModelFolders::FromEnvironment(root_ / "own", root_);
  unsetenv("MODELSCOPE_CACHE");
  ASSERT_EQ(folders.all().size(), 3U);
  EXPECT_EQ(folders.own(), root_ / "own");
  EXPECT_EQ(folders.all()[1], root_ / ".cache/huggingface/hub");
  EXPECT_EQ(folders.all()[2], root_ / "ms");
}

TEST_F(ModelFoldersTest, AFolderNamesItsMissingFile) {
  const auto missing = [&] { return CheckModelFolder(root_ / "m").field(); };
  fs::create_directories(root_ / "m");
  EXPECT_EQ(missing(), "config.json");
  Write("m/config.json", "{}");
  EXPECT_EQ(missing(), "tokenizer.json");
  Write("m/tokenizer.json", "{}");
  EXPECT_EQ(missing(), "model.safetensors");
  Write(
      "m/model.safetensors.index.json",
      R"({"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})");
  EXPECT_EQ(missing(), "model-00001-of-00002.safetensors");
  Write("m/model-00001-of-00002.safetensors");
  EXPECT_EQ(missing(), "model-00002-of-00002.safetensors");
  Write("m/model-00002-of-00002.safetensors");
  EXPECT_TRUE(CheckModelFolder(root_ / "m").ok());
  Write("m/model.safetensors.index.json", R"({"weight_map":{"a":"../../etc/passwd"}})");
  EXPECT_EQ(missing(), "weight_map");
  Write("m/model.safetensors.index.json", "[]");
  EXPECT_EQ(missing(), "weight_map");
}

}  // namespace
}  // namespace pingti::store
