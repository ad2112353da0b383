// Golden models (tools/make_golden.py): every folder tests/golden/models/FAMILY/CASE, on every
// kernel table that this machine has: the reference's logits within a tolerance and its greedy
// tokens exactly; and the same bits in one piece, in chunks and in a mixed batch, for every type of
// KV cache.
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "gtest/gtest.h"
#include "models/registry.h"
#include "models/testing/runner.h"

namespace pingti::models {
namespace {

namespace fs = std::filesystem;
using testing::Logits;
using testing::Piece;
using testing::Runner;

const fs::path kFolder = "tests/golden/models";

struct Golden {
  std::unique_ptr<formats::ModelFile> file;
  std::vector<int32_t> prompt;
  std::vector<int32_t> greedy;
  std::vector<size_t> positions;
  Logits logits;  // of those positions
  double logits_std = 0;
  bool quantised = false;
};

template <typename T>
std::vector<T> Numbers(const json::value& array) {
  std::vector<T> numbers;
  for (const json::value& value : array.as_array()) numbers.push_back(value.to_number<T>());
  return numbers;
}

Golden ReadGolden(const fs::path& folder) {
  Golden golden;
  golden.file = *formats::OpenModelFile(folder / "model.gguf");
  const json::value expected = *ParseJson(*ReadFile(folder / "expected.json"));
  golden.prompt = Numbers<int32_t>(expected.at("prompt"));
  golden.greedy = Numbers<int32_t>(expected.at("greedy"));
  golden.positions = Numbers<size_t>(expected.at("positions"));
  for (const json::value& row : expected.at("logits").as_array())
    golden.logits.push_back(Numbers<float>(row));
  golden.logits_std = expected.at("logits_std").to_number<double>();
  for (const TensorView& tensor : golden.file->tensors())
    golden.quantised |= Info(tensor.type).block_values > 1;
  return golden;
}

std::vector<fs::path> Cases() {
  std::vector<fs::path> cases;
  for (const auto& family : fs::directory_iterator(kFolder)) {
    for (const auto& entry : fs::directory_iterator(family.path())) cases.push_back(entry.path());
  }
  std::ranges::sort(cases);
  return cases;
}

struct Table {
  std::string name;
  kernels::KernelTable kernels;
};
std::vector<Table> Tables() {
  std::vector<Table> tables = {{"reference", kernels::ReferenceTable()}};
  for (int i = 0; i < kernels::kIsaLevelCount; ++i) {
    const auto level = static_cast<kernels::IsaLevel>(i);
    if (kernels::CpuHas(level))
      tables.push_back({std::string(kernels::IsaLevelName(level)), kernels::MakeTable(level)});
  }
  return tables;
}

// Root mean square of the difference, in standard deviations of the logits.
double Error(const Golden& golden, const Logits& logits) {
  double sum = 0;
  size_t count = 0;
  for (size_t i = 0; i < golden.positions.size(); ++i) {
    const std::vector<float>& found = logits[golden.positions[i]];
    EXPECT_EQ(found.size(), golden.logits[i].size());
    for (size_t v = 0; v < found.size(); ++v)
      sum += std::pow(double{found[v]} - double{golden.logits[i][v]}, 2);
    count += found.size();
  }
  return std::sqrt(sum / static_cast<double>(count)) / golden.logits_std;
}

class GoldenTest : public ::testing::TestWithParam<fs::path> {
 protected:
  // Calls `body` with the case's model on every table.
  template <typename F>
  void OnEveryTable(F&& body) {
    const Golden golden = ReadGolden(GetParam());
    for (Table& table : Tables()) {
      SCOPED_TRACE(table.name);
      ops::Context ctx = {.pool = pool_, .kernels = table.kernels};
      LoadOptions options;
      options.rows_max = kRowsMax;
      const auto model = LoadModel(*golden.file, ctx, options);
      ASSERT_TRUE(model.ok()) << model.status().ToString();
      body(golden, **model, table.name);
    }
  }

  static constexpr int32_t kRowsMax = 128;
  ThreadPool pool_{{.threads = 2, .pin = false, .spin_us = 0}};
};

// What rounding allows, in standard deviations of the logits: F16 keys and values carry 11 bits,
// quantised weights meet activations of 8 bits.
constexpr double kToleranceFloat = 0.004;
constexpr double kToleranceQuantised = 0.06;

TEST_P(GoldenTest, LogitsAndGreedyTokensAreTheReferences) {
  OnEveryTable([](const Golden& golden, Model& model, const std::string& table) {
    const Logits logits =
        Runner(model, ops::KvType::kF16).Chunks(0, golden.prompt, golden.prompt.size());
    const bool exact = !golden.quantised || table == "reference";
    EXPECT_LT(Error(golden, logits), exact ? kToleranceFloat : kToleranceQuantised);
    EXPECT_EQ(Runner(model, ops::KvType::kF16).Greedy(1, golden.prompt, golden.greedy.size()),
              golden.greedy);
  });
}

TEST_P(GoldenTest, OnePieceChunksAndMixedBatchesGiveTheSameBits) {
  OnEveryTable([](const Golden& golden, Model& model, const std::string&) {
    const std::vector<int32_t>& prompt = golden.prompt;
    for (const ops::KvType type : {ops::KvType::kF16, ops::KvType::kBF16, ops::KvType::kQ8}) {
      SCOPED_TRACE(ops::KvTypeName(type));
      const Logits whole = Runner(model, type).Chunks(0, prompt, prompt.size());
      for (const size_t size : {1, 7, 33}) {
        EXPECT_TRUE(Runner(model, type).Chunks(2, prompt, size) == whole) << "chunks of " << size;
      }
      // A decode of one sequence beside prompts of two others, in another order.
      Runner runner(model, type);
      const size_t cut = prompt.size() - 1;
      runner.Chunks(1, std::span(prompt).first(cut), cut);
      const Logits mixed =
          runner.Step({{3, {prompt.rbegin(), prompt.rend()}}, {1, {prompt.back()}}, {0, prompt}});
      EXPECT_TRUE(mixed[prompt.size()] == whole.back());
      EXPECT_TRUE(std::equal(whole.begin(), whole.end(),
                             mixed.begin() + static_cast<std::ptrdiff_t>(prompt.size() + 1)));
    }
  });
}

std::string CaseName(const ::testing::TestParamInfo<fs::path>& info) {
  return info.param.parent_path().filename().string() + "_" + info.param.filename().string();
}
INSTANTIATE_TEST_SUITE_P(Models, GoldenTest, ::testing::ValuesIn(Cases()), CaseName);

TEST(Registry, EveryFamilyHasAGoldenAndEveryGoldenAFamily) {
  ASSERT_FALSE(KnownModels().empty());
  for (const std::string_view family : KnownModels()) {
    EXPECT_TRUE(fs::is_directory(kFolder / family))
        << "no golden for '" << family << "': see tools/make_golden.py";
  }
  for (const auto& family : fs::directory_iterator(kFolder)) {
    EXPECT_NE(FindModel(family.path().filename().string()), nullptr) << family.path();
  }
}

}  // namespace
}  // namespace pingti::models
