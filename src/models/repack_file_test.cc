#include "models/repack_file.h"

#include <fstream>

#include "gtest/gtest.h"
#include "models/testing/temp_model.h"

namespace pingti::models {
namespace {

namespace fs = std::filesystem;
using testing::TempFolder;

const RepackKey kKey = {std::string(64, 'a'), "isa"};

std::string Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class RepackFileTest : public ::testing::Test {
 protected:
  fs::path Path() const { return RepackPath(folder_.path(), kKey); }
  void WriteTwo() {
    Result<RepackWriter> writer = RepackWriter::Create(Path(), kKey);
    ASSERT_TRUE(writer.ok()) << writer.status().ToString();
    ASSERT_TRUE(
        writer->Append("q", "f32.r16", formats::testing::AsBytes(std::string(5000, 'q'))).ok());
    ASSERT_TRUE(writer->Append("k", "q8.r16", formats::testing::AsBytes("kkk")).ok());
    EXPECT_FALSE(fs::exists(Path()));
    ASSERT_TRUE(writer->Commit().ok());
  }
  Status Open() { return RepackFile::Open(Path(), kKey, pool_).status(); }

  TempFolder folder_;
  ThreadPool pool_{{.threads = 2, .pin = false}};
};

TEST_F(RepackFileTest, ReadsWhatWasWritten) {
  WriteTwo();
  const Result<RepackFile> file = RepackFile::Open(Path(), kKey, pool_);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(file->size(), 2U);
  ASSERT_NE(file->Find("q"), nullptr);
  EXPECT_EQ(file->Find("q")->layout, "f32.r16");
  EXPECT_EQ(Text(file->Find("q")->bytes), std::string(5000, 'q'));
  EXPECT_EQ(Text(file->Find("k")->bytes), "kkk");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file->Find("k")->bytes.data()) % 64, 0U);
  EXPECT_EQ(file->Find("v"), nullptr);
}

TEST_F(RepackFileTest, AbsentIsNotFoundAndAnotherKeyIsRefused) {
  EXPECT_EQ(Open().code(), StatusCode::kNotFound);
  WriteTwo();
  const RepackKey other = {std::string(64, 'b'), "isa"};
  fs::copy_file(Path(), RepackPath(folder_.path(), other));
  EXPECT_EQ(RepackFile::Open(RepackPath(folder_.path(), other), other, pool_).status().code(),
            StatusCode::kDataLoss);
}

TEST_F(RepackFileTest, EveryTruncationAndEveryDamagedByteIsFound) {
  WriteTwo();
  std::string bytes = *ReadFile(Path());
  for (size_t length = 0; length < bytes.size(); length += length < 100 ? 1 : 97) {
    folder_.Write(Path().filename(), bytes.substr(0, length));
    EXPECT_FALSE(Open().ok()) << length;
  }
  int unnoticed = 0;  // the padding between matrices and the header's reserve carry nothing
  for (size_t i = 0; i < bytes.size(); i += i < 64 ? 1 : 13) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    folder_.Write(Path().filename(), damaged);
    const bool carries = i < 48 || (i >= 4096 && i < 4096 + 5000) || i >= 12288;
    EXPECT_EQ(Open().ok(), !carries) << i;
    unnoticed += carries ? 0 : 1;
  }
  EXPECT_GT(unnoticed, 0);
}

TEST_F(RepackFileTest, AnInterruptedWriterLeavesNothing) {
  {
    Result<RepackWriter> writer = RepackWriter::Create(Path(), kKey);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->Append("q", "f32", formats::testing::AsBytes("q")).ok());
  }
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(RepackFileTest, TrimRemovesTheLeastRecentlyUsed) {
  const auto write = [&](const std::string& name, int hours_ago) {
    const fs::path path = folder_.Write(name, std::string(100, 'x'));
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours_ago));
    return path;
  };
  const fs::path oldest = write("oldest.repack", 9);
  const fs::path middle = write("middle.repack", 5);
  const fs::path newest = write("newest.repack", 1);
  const fs::path dead = write("dead.repack.tmp7.0", 48);
  const fs::path alive = write("alive.repack.tmp8.0", 0);
  const fs::path foreign = write("notes.txt", 100);
  TrimRepackFolder(folder_.path(), oldest, 200);
  EXPECT_TRUE(fs::exists(oldest)) << "the file that is kept";
  EXPECT_FALSE(fs::exists(middle));
  EXPECT_TRUE(fs::exists(newest));
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(alive));
  EXPECT_TRUE(fs::exists(foreign));
  TrimRepackFolder(folder_.path() / "none", oldest, 0);
}

}  // namespace
}  // namespace pingti::models
