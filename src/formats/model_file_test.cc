// Opening models from disk: single files, split sets, folders, and what is said of everything else.
#include "formats/model_file.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "formats/gguf_file.h"
#include "formats/testing/gguf_writer.h"
#include "gtest/gtest.h"

namespace pingti::formats {
namespace {

using testing::GgufWriter;
namespace fs = std::filesystem;

class ModelFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "pingti_formats_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  // Part `part` of `count`, with one tensor "t<part>".
  fs::path WritePart(uint16_t part, uint16_t count, const std::string& stem = "m") {
    GgufWriter writer;
    writer.Add("split.no", static_cast<uint16_t>(part - 1)).Add("split.count", count);
    writer.Add("split.tensors.count", int32_t{count});
    if (part == 1) writer.AddString("general.name", "whole");
    writer.AddF32("t" + std::to_string(part), {1}, std::vector<float>{static_cast<float>(part)});
    return Write(MakeSplitName({.stem = stem, .part = part, .count = count}), writer.Bytes());
  }
  static void ExpectError(const fs::path& path, std::string_view wanted) {
    const Status status = OpenModelFile(path).status();
    ASSERT_FALSE(status.ok()) << "wanted: " << wanted;
    EXPECT_NE(status.message().find(wanted), std::string::npos)
        << status.message() << "\nwanted: " << wanted;
  }

  fs::path folder_;
};

TEST_F(ModelFileTest, OpensAFileAndAFolderThatHoldsOne) {
  const std::string bytes =
      GgufWriter().AddString("general.name", "one").AddF32("a", {1}, std::vector<float>{7}).Bytes();
  const fs::path path = Write("one.gguf", bytes);
  Write("README.md", "text");
  for (const fs::path& opened : {path, folder_}) {
    const auto file = OpenModelFile(opened);
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    EXPECT_EQ(**(*file)->String("general.name"), "one");
    ASSERT_NE((*file)->FindTensor("a"), nullptr);
    EXPECT_EQ((*file)->FindTensor("b"), nullptr);
    EXPECT_EQ((*file)->path(), path);
  }
}

TEST_F(ModelFileTest, SaysWhatWasLookedFor) {
  ExpectError(folder_ / "none.gguf", "there is no file or folder");
  ExpectError(folder_, "holds no model: looked for *.gguf");
  Write("a.gguf", GgufWriter().Bytes());
  Write("b.gguf", GgufWriter().Bytes());
  ExpectError(folder_, "holds 2 models; name one of them: a.gguf, b.gguf");
  ExpectError(Write("c.gguf", "version https://git-lfs.github.com/spec/v1"),
              "c.gguf: this is a Git LFS pointer");
  ExpectError("/dev/null", "is not a regular file");
}

TEST_F(ModelFileTest, OpensASplitSetFromAnyPartAndFromItsFolder) {
  for (uint16_t part = 1; part <= 3; ++part) WritePart(part, 3);
  for (const char* name : {"m-00001-of-00003.gguf", "m-00003-of-00003.gguf", ""}) {
    const auto file = OpenModelFile(folder_ / name);
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    EXPECT_EQ((*file)->tensors().size(), 3U);
    EXPECT_EQ(**(*file)->String("general.name"), "whole");
    EXPECT_NE((*file)->FindTensor("t3"), nullptr);
    EXPECT_EQ((*file)->path().filename(), "m-00001-of-00003.gguf");
  }
}

TEST_F(ModelFileTest, DamagedSplitSets) {
  const fs::path first = WritePart(1, 3);
  WritePart(3, 3);
  ExpectError(first, "part 2 of 3 of the model is missing");
  fs::copy_file(first, folder_ / "m-00002-of-00003.gguf");
  ExpectError(first, "its name says part 2 of 3, its metadata part 1 of 3");
  fs::copy_file(first, folder_ / "renamed.gguf");
  ExpectError(folder_ / "renamed.gguf",
              "one of 3 parts of a model, but its name does not end with");
  Write("m-00002-of-00003.gguf",
        GgufWriter().Add("split.no", uint16_t{1}).Add("split.count", uint16_t{3}).Bytes());
  ExpectError(first, "split.tensors.count is 3, the parts hold 2 tensors");
  Write("m-00002-of-00003.gguf", GgufWriter()
                                     .Add("split.no", uint16_t{1})
                                     .Add("split.count", uint16_t{3})
                                     .AddF32("t1", {1}, std::vector<float>{0})
                                     .Bytes());
  ExpectError(first, "tensor 't1' is in two parts");
}

TEST_F(ModelFileTest, FingerprintChangesWithDirectorySizeAndTime) {
  const std::string bytes =
      GgufWriter().Add("k", 1).AddF32("a", {1}, std::vector<float>{7}).Bytes();
  const fs::path path = Write("a.gguf", bytes);
  const auto print = [&] { return (*OpenModelFile(path))->Fingerprint(); };
  const std::string before = print();
  EXPECT_EQ(before.size(), 64U);
  EXPECT_EQ(print(), before);
  fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds(5));
  const std::string touched = print();
  EXPECT_NE(touched, before);
  const fs::file_time_type time = fs::last_write_time(path);
  Write("a.gguf", GgufWriter().Add("k", 2).AddF32("a", {1}, std::vector<float>{7}).Bytes());
  fs::last_write_time(path, time);
  EXPECT_NE(print(), touched);
}

TEST(SplitName, ParsesAndPrints) {
  const auto name = ParseSplitName("x-00002-of-00010.gguf");
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(name->stem, "x");
  EXPECT_EQ(name->part, 2);
  EXPECT_EQ(name->count, 10);
  EXPECT_EQ(MakeSplitName(*name), "x-00002-of-00010.gguf");
  for (const char* wrong :
       {"x.gguf", "x-00003-of-00002.gguf", "x-00000-of-00002.gguf", "x-1-of-2.gguf",
        "-00001-of-00002.gguf", "x-00001-of-00002.bin", "x-+0001-of-00002.gguf"}) {
    EXPECT_FALSE(ParseSplitName(wrong).has_value()) << wrong;
  }
}

// The vocabularies that come with the tokenizers' reference vectors: real converters' files without
// weights.
TEST(RealFiles, VocabularyFilesOpen) {
  const char* data = std::getenv("PINGTI_DATA");
  if (data == nullptr || !fs::is_directory(fs::path(data) / "tokenizer"))
    GTEST_SKIP() << "PINGTI_DATA is not set";
  int opened = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(data) / "tokenizer")) {
    if (entry.path().extension() != ".gguf") continue;
    const auto file = OpenModelFile(entry.path());
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    EXPECT_GT((**(*file)->Strings("tokenizer.ggml.tokens")).size(), 1000U) << entry.path();
    ++opened;
  }
  EXPECT_GT(opened, 0);
}

TEST(RealFiles, ModelsOpen) {
  const char* models = std::getenv("PINGTI_MODELS");
  if (models == nullptr) GTEST_SKIP() << "PINGTI_MODELS is not set";
  for (const auto& entry : fs::directory_iterator(models)) {
    if (entry.path().extension() != ".gguf") continue;
    const auto file = OpenModelFile(entry.path());
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    EXPECT_NE((*file)->FindTensor("token_embd.weight"), nullptr);
  }
}

}  // namespace
}  // namespace pingti::formats
