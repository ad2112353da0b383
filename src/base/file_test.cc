#include "base/file.h"

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace pingti {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "pingti_base_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }
  size_t FileCount() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  fs::path folder_;
};

TEST_F(FileTest, AtomicFileAppearsAtCommitOnly) {
  const fs::path path = folder_ / "a";
  {
    Result<AtomicFile> file = AtomicFile::Create(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->Append(Bytes("0123")).ok());
    EXPECT_FALSE(fs::exists(path));
  }
  EXPECT_EQ(FileCount(), 0U);
  Result<AtomicFile> file = AtomicFile::Create(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->Append(Bytes("0123")).ok());
  ASSERT_TRUE(file->WriteAt(1, Bytes("ab")).ok());
  ASSERT_TRUE(file->Append(Bytes("4")).ok());
  EXPECT_EQ(file->size(), 5U);
  ASSERT_TRUE(file->Commit(false).ok());
  EXPECT_EQ(*ReadFile(path), "0ab34");
  EXPECT_EQ(FileCount(), 1U);
}

TEST_F(FileTest, WriteReplacesAndReportsWhere) {
  ASSERT_TRUE(WriteFileAtomically(folder_ / "a", Bytes("old")).ok());
  ASSERT_TRUE(WriteFileAtomically(folder_ / "a", Bytes("new")).ok());
  EXPECT_EQ(*ReadFile(folder_ / "a"), "new");
  const Status status = WriteFileAtomically(folder_ / "none" / "a", Bytes("x"));
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(status.message().find("none/a"), std::string::npos) << status.message();
}

TEST_F(FileTest, ReleasedPagesComeBack) {
  const std::string text(100'000, 'x');
  ASSERT_TRUE(WriteFileAtomically(folder_ / "a", Bytes(text)).ok());
  const Result<MappedFile> file = MappedFile::Open(folder_ / "a");
  ASSERT_TRUE(file.ok());
  ReleasePages(file->bytes().subspan(1));
  ReleasePages({});
  EXPECT_EQ(file->bytes().back(), std::byte{'x'});
}

TEST_F(FileTest, ReadFileIsBounded) {
  ASSERT_TRUE(WriteFileAtomically(folder_ / "a", Bytes("12345")).ok());
  EXPECT_FALSE(ReadFile(folder_ / "a", 4).ok());
  EXPECT_FALSE(MappedFile::Open(folder_).ok());
  EXPECT_EQ(MappedFile::Open(folder_ / "none").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace pingti
