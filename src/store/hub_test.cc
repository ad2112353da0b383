#include "store/hub.h"

#include <gtest/gtest.h>

namespace pingti::store {
namespace {

TEST(HubReferenceTest, Parts) {
  const HubReference plain = ParseHubReference("Qwen/Qwen2.5-1.5B-Instruct-GGUF").value();
  EXPECT_EQ(plain.repository, "Qwen/Qwen2.5-1.5B-Instruct-GGUF");
  EXPECT_EQ(plain.selector, "");
  const HubReference full = ParseHubReference("a/b@v1.0:sub/x-q4_0.gguf").value();
  EXPECT_EQ(full.repository, "a/b");
  EXPECT_EQ(full.revision, "v1.0");
  EXPECT_EQ(full.selector, "sub/x-q4_0.gguf");
  for (const char* wrong : {"", "a", "a/", "/b", "a/b/c", "../b", "a/..", "a/b:", "a/b:../x",
                            "a/b:/etc/x", "a b/c", "a/b@", "a/b@../x", "a/b?x"}) {
    EXPECT_FALSE(ParseHubReference(wrong).ok()) << wrong;
  }
}

TEST(HubReferenceTest, SafePaths) {
  for (const char* good : {"a", "a/b.gguf", "..a", "a..b/c", "模型.gguf"})
    EXPECT_TRUE(IsSafePath(good)) << good;
  for (const char* bad :
       {"", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a\nb", "c:x", "a/."}) {
    EXPECT_FALSE(IsSafePath(bad)) << bad;
  }
  EXPECT_FALSE(IsSafePath(std::string("a\0b", 3)));
  EXPECT_FALSE(IsSafePath(std::string(1000, 'a')));
}

TEST(HubTest, Addresses) {
  const HubReference reference = ParseHubReference("a/b").value();
  HubOptions hub{HubKind::kHuggingFace, "http://h", ""};
  EXPECT_EQ(ListUrl(hub, reference), "http://h/api/models/a/b/tree/main?recursive=true");
  EXPECT_EQ(FileUrl(hub, reference, "s/x y.gguf"), "http://h/a/b/resolve/main/s/x%20y.gguf");
  hub.kind = HubKind::kModelScope;
  EXPECT_EQ(ListUrl(hub, reference),
            "http://h/api/v1/models/a/b/repo/files?Revision=master&Recursive=true");
  EXPECT_EQ(FileUrl(hub, reference, "s/x.gguf"),
            "http://h/api/v1/models/a/b/repo?Revision=master&FilePath=s%2Fx.gguf");
}

TEST(HubTest, ListingsOfBothHubs) {
  const std::string sum(64, 'A');
  const auto hf = ParseListing(HubKind::kHuggingFace,
                               R"([{"type":"directory","path":"s","oid":"x","size":0},
      {"type":"file","path":"s/m.gguf","size":7,"oid":"0123456789012345678901234567890123456789","lfs":{"oid":")" +
                                   sum + R"(","size":7}},
      {"type":"file","path":"config.json","size":2,"oid":"0123456789012345678901234567890123456789"}])");
  ASSERT_TRUE(hf.ok()) << hf.status().message();
  ASSERT_EQ(hf->size(), 2U);
  EXPECT_EQ((*hf)[0].sha256, std::string(64, 'a'));
  EXPECT_EQ((*hf)[0].git_sha1, "");
  EXPECT_EQ((*hf)[1].git_sha1.size(), 40U);
  const auto ms = ParseListing(HubKind::kModelScope,
                               R"({"Code":200,"Data":{"Files":[{"Type":"tree","Path":"s","Size":0},
      {"Type":"blob","Path":"s/m.gguf","Size":7,"Sha256":")" +
                                   sum + R"("}]}})");
  ASSERT_TRUE(ms.ok()) << ms.status().message();
  ASSERT_EQ(ms->size(), 1U);
  EXPECT_EQ((*ms)[0].bytes, 7U);
}

TEST(HubTest, HostileListings) {
  for (const char* path : {"../x", "/etc/passwd", "a/../../x", "a\\\\b", ""}) {
    const std::string text = std::string(R"([{"type":"file","size":1,"path":")") + path + "\"}]";
    EXPECT_FALSE(ParseListing(HubKind::kHuggingFace, text).ok()) << path;
    const std::string ms =
        std::string(R"({"Data":{"Files":[{"Type":"blob","Size":1,"Path":")") + path + "\"}]}}";
    EXPECT_FALSE(ParseListing(HubKind::kModelScope, ms).ok()) << path;
  }
  for (const char* text : {"", "{}", "[1]", "[{\"type\":\"file\",\"path\":\"a\"}]",
                           "[{\"type\":\"file\",\"path\":\"a\",\"size\":-1}]",
                           "[{\"type\":\"file\",\"path\":\"a\",\"size\":1e30}]"}) {
    EXPECT_FALSE(ParseListing(HubKind::kHuggingFace, text).ok()) << text;
  }
  for (const char* text : {"[]", "{\"Data\":null}", "{\"Data\":{\"Files\":{}}}"}) {
    EXPECT_FALSE(ParseListing(HubKind::kModelScope, text).ok()) << text;
  }
}

std::vector<HubFile> Files(std::initializer_list<const char*> paths) {
  std::vector<HubFile> files;
  for (const char* path : paths) files.push_back({path, 1000, "", ""});
  return files;
}

std::string Selected(const std::vector<HubFile>& files, std::string_view selector) {
  const auto selected = SelectFiles(files, selector);
  if (!selected.ok()) return "error: " + selected.status().message();
  std::string names;
  for (const HubFile& file : *selected) names += file.path + " ";
  return names;
}

TEST(SelectFilesTest, GgufByFileByQuantisationByDefault) {
  const auto files = Files({"README.md", "m-q4_0.gguf", "m-Q4_K_M.gguf",
                            "big/m-q8_0-00001-of-00002.gguf", "big/m-q8_0-00002-of-00002.gguf"});
  EXPECT_EQ(Selected(files, ""), "m-Q4_K_M.gguf ");
  EXPECT_EQ(Selected(files, "Q4_0"), "m-q4_0.gguf ");
  EXPECT_EQ(Selected(files, "m-q4_0.gguf"), "m-q4_0.gguf ");
  EXPECT_EQ(Selected(files, "README.md"), "README.md ");
  EXPECT_EQ(Selected(files, "q8_0"),
            "big/m-q8_0-00001-of-00002.gguf big/m-q8_0-00002-of-00002.gguf ");
  EXPECT_EQ(Selected(files, "big/m-q8_0-00001-of-00002.gguf"),
            "big/m-q8_0-00001-of-00002.gguf big/m-q8_0-00002-of-00002.gguf ");
  EXPECT_NE(Selected(files, "q5_k_m").find("m-q4_0.gguf  1.0 kB"), std::string::npos);
  EXPECT_TRUE(Selected(Files({"a-q4_0.gguf", "a-q8_0.gguf"}), "").starts_with("error: "))
      << "no guess among several";
  EXPECT_TRUE(Selected(Files({"a-q4_0.gguf", "b-q4_0.gguf"}), "q4_0").starts_with("error: "));
  EXPECT_EQ(Selected(Files({"only.gguf", "x.bin"}), ""), "only.gguf ");
}

TEST(SelectFilesTest, SafetensorsFolder) {
  const auto files =
      Files({"config.json", "tokenizer.json", "model-00001-of-00002.safetensors",
             "model-00002-of-00002.safetensors", "model.safetensors.index.json", "merges.txt",
             "pytorch_model.bin", "onnx/model.safetensors", "README.md", "LICENSE"});
  EXPECT_EQ(Selected(files, ""),
            "config.json tokenizer.json model-00001-of-00002.safetensors "
            "model-00002-of-00002.safetensors "
            "model.safetensors.index.json merges.txt LICENSE ");
  EXPECT_TRUE(Selected(files, "q4").starts_with("error: "));
  EXPECT_TRUE(Selected(Files({"README.md"}), "").starts_with("error: "));
}

}  // namespace
}  // namespace pingti::store
