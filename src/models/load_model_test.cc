// LoadModel: the copy of repacked weights between starts, and what is said of files that cannot be
// run.
#include <cstdlib>
#include <fstream>

#include "gtest/gtest.h"
#include "models/registry.h"
#include "models/testing/runner.h"
#include "models/testing/temp_model.h"

namespace pingti::models {
namespace {

namespace fs = std::filesystem;
using formats::testing::GgufWriter;
using testing::Logits;
using testing::Runner;
using testing::TempFolder;

const fs::path kModel = "tests/golden/models/llama/q8_0/model.gguf";
const std::vector<int32_t> kPrompt = {1, 2, 3, 5, 8};

class LoadModelTest : public ::testing::Test {
 protected:
  struct Loaded {
    Logits logits;
    std::vector<std::string> warnings;
    size_t progress_calls = 0;
    size_t bytes_done = 0;
    size_t bytes_all = 1;
  };
  // Loads the model with the cache in `folder` and runs it.
  Loaded Load(const fs::path& folder, uintmax_t bytes_max = 0) {
    Loaded loaded;
    LoadOptions options;
    options.rows_max = 16;
    options.repack_cache_dir = folder;
    options.repack_cache_bytes_max = bytes_max;
    options.on_progress = [&](size_t done, size_t all) {
      ++loaded.progress_calls;
      loaded.bytes_done = done;
      loaded.bytes_all = all;
    };
    options.on_warning = [&](const std::string& message) { loaded.warnings.push_back(message); };
    const auto file = formats::OpenModelFile(kModel);
    const auto model = LoadModel(**file, ctx_, options);
    EXPECT_TRUE(model.ok()) << model.status().ToString();
    EXPECT_GT((*model)->weight_bytes(), (*model)->weight_bytes_per_token());
    loaded.logits = Runner(**model, ops::KvType::kF16).Chunks(0, kPrompt, kPrompt.size());
    return loaded;
  }
  fs::path CacheFile() const {
    for (const auto& entry : fs::directory_iterator(folder_.path())) return entry.path();
    return {};
  }
  Status LoadStatus(GgufWriter& writer) {
    return LoadModel(*folder_.Open(writer), ctx_, {}).status();
  }

  TempFolder folder_;
  ThreadPool pool_{{.threads = 2, .pin = false, .spin_us = 0}};
  kernels::KernelTable table_ = **kernels::ProcessTable();
  ops::Context ctx_ = {.pool = pool_, .kernels = table_};
};

TEST_F(LoadModelTest, TheSecondStartMapsWhatTheFirstHasPacked) {
  const Loaded uncached = Load({});
  const Loaded first = Load(folder_.path());
  ASSERT_FALSE(CacheFile().empty());
  const fs::file_time_type written = fs::file_time_type::clock::now() - std::chrono::hours(1);
  fs::last_write_time(CacheFile(), written);
  const Loaded second = Load(folder_.path());
  EXPECT_EQ(first.logits, uncached.logits);
  EXPECT_EQ(second.logits, uncached.logits);
  EXPECT_GT(first.progress_calls, 1U);
  EXPECT_EQ(second.progress_calls, 1U) << "nothing is packed";
  for (const Loaded& loaded : {uncached, first, second}) {
    EXPECT_EQ(loaded.bytes_done, loaded.bytes_all);
    EXPECT_TRUE(loaded.warnings.empty());
  }
  EXPECT_GT(fs::last_write_time(CacheFile()), written) << "its use is marked";
}

TEST_F(LoadModelTest, ADamagedCopyIsMadeAgain) {
  const Loaded first = Load(folder_.path());
  const fs::path cache = CacheFile();
  const uintmax_t size = fs::file_size(cache);
  {
    std::fstream file(cache, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(5000);
    file.put('\x55').put('\x55').put('\x55').put('\x55');
  }
  const Loaded damaged = Load(folder_.path());
  ASSERT_EQ(damaged.warnings.size(), 1U);
  EXPECT_NE(damaged.warnings[0].find("made again"), std::string::npos) << damaged.warnings[0];
  EXPECT_EQ(damaged.logits, first.logits);
  fs::resize_file(cache, size / 2);
  EXPECT_EQ(Load(folder_.path()).logits, first.logits);
  EXPECT_EQ(fs::file_size(cache), size);
  EXPECT_TRUE(Load(folder_.path()).warnings.empty());
}

TEST_F(LoadModelTest, WithoutRoomForACopyTheModelRunsFromMemory) {
  folder_.Write("file", "x");
  const Loaded loaded = Load(folder_.path() / "file" / "cache");
  ASSERT_FALSE(loaded.warnings.empty());
  EXPECT_NE(loaded.warnings.back().find("not kept"), std::string::npos) << loaded.warnings.back();
  EXPECT_EQ(loaded.logits, Load({}).logits);
}

TEST_F(LoadModelTest, OtherModelsCopiesMakeRoom) {
  const fs::path other = folder_.Write("other.repack", std::string(1000, 'x'));
  Load(folder_.path(), 1);
  EXPECT_FALSE(fs::exists(other));
  EXPECT_FALSE(CacheFile().empty());
}

TEST_F(LoadModelTest, NamesWhatCannotBeRun) {
  GgufWriter nameless;
  EXPECT_NE(LoadStatus(nameless).message().find("'general.architecture' is missing"),
            std::string::npos);
  GgufWriter unknown;
  unknown.AddString("general.architecture", "hourglass");
  const Status status = LoadStatus(unknown);
  EXPECT_EQ(status.code(), StatusCode::kUnimplemented);
  EXPECT_NE(status.message().find("'hourglass'; this version runs "), std::string::npos)
      << status.message();
  for (const std::string_view family : KnownModels()) {
    EXPECT_NE(status.message().find(family), std::string::npos);
    GgufWriter empty;
    empty.AddString("general.architecture", family);
    EXPECT_EQ(LoadStatus(empty).field(), std::string(family) + ".block_count");
  }
}

}  // namespace
}  // namespace pingti::models
