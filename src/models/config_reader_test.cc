#include "models/config_reader.h"

#include "gtest/gtest.h"
#include "models/tensor_table.h"
#include "models/testing/temp_model.h"

namespace pingti::models {
namespace {

using formats::testing::GgufWriter;
using testing::TempFolder;

TEST(ConfigReader, ReadsUnderTheArchitecture) {
  const TempFolder folder;
  const auto file = folder.Open(GgufWriter()
                                    .Add("llama.block_count", uint32_t{2})
                                    .Add("qwen2.block_count", uint32_t{9})
                                    .Add("llama.rope.freq_base", 5e5F)
                                    .AddString("llama.rope.scaling.type", "yarn")
                                    .Add("llama.flag", true));
  ConfigReader reader(*file, "llama");
  EXPECT_EQ(reader.Int("block_count", 10), 2);
  EXPECT_EQ(reader.IntOr("absent", 10, 7), 7);
  EXPECT_EQ(reader.Float("rope.freq_base"), 5e5);
  EXPECT_EQ(reader.FloatOr("absent", 0.5), 0.5);
  EXPECT_EQ(reader.StringOr("rope.scaling.type", "none"), "yarn");
  EXPECT_TRUE(reader.BoolOr("flag", false));
  EXPECT_TRUE(reader.status().ok());
}

TEST(ConfigReader, KeepsTheFirstErrorAndNamesItsKey) {
  const TempFolder folder;
  const auto file = folder.Open(GgufWriter()
                                    .Add("llama.big", uint32_t{99})
                                    .Add("llama.zero", 0.0F)
                                    .AddString("llama.text", "x")
                                    .Add("llama.nan", 0.0 / 0.0));
  const auto message = [&](auto read) {
    ConfigReader reader(*file, "llama");
    read(reader);
    static_cast<void>(reader.Int("gone", 1));  // later errors do not replace the first
    return reader.status().message();
  };
  EXPECT_EQ(message([](ConfigReader& r) { r.Int("none", 5); }),
            "metadata key 'llama.none' is missing");
  EXPECT_EQ(message([](ConfigReader& r) { r.Int("big", 5); }),
            "metadata key 'llama.big' is 99, wanted 1 to 5");
  EXPECT_EQ(message([](ConfigReader& r) { r.Float("zero"); }),
            "metadata key 'llama.zero' is 0, wanted a number above 0");
  EXPECT_NE(message([](ConfigReader& r) { r.FloatOr("nan", 1); }).find("llama.nan"),
            std::string::npos);
  EXPECT_NE(
      message([](ConfigReader& r) { r.Int("text", 5); }).find("of type string, wanted an integer"),
      std::string::npos);
}

TEST(TensorTable, NamesWhatIsMissingMisshapenOrUnknown) {
  const TempFolder folder;
  const std::vector<float> six(6);
  const auto file = folder.Open(GgufWriter()
                                    .AddF32("a", {2, 3}, six)
                                    .AddF32("v", {6}, six)
                                    .AddF32("x", {6}, six)
                                    .AddF32("old", {6}, six));
  TensorTable right;
  right.Required("a", {3, 2});
  right.Required("v", {1, 6});
  right.Optional("x", {1, 6});
  right.Optional("y", {1, 6});
  right.Ignored("old");
  EXPECT_TRUE(right.Check(*file).ok()) << right.Check(*file).ToString();
  TensorTable wrong;
  wrong.Required("a", {2, 3});
  wrong.Required("v", {1, 6});
  wrong.Required("w", {1, 4});
  wrong.Ignored("old");
  const std::string message = wrong.Check(*file).message();
  EXPECT_NE(message.find("tensor 'a' has shape [3, 2], wanted [2, 3]"), std::string::npos)
      << message;
  EXPECT_NE(message.find("tensor 'w' [4] is missing"), std::string::npos) << message;
  EXPECT_NE(message.find("tensor 'x' [6] is not one of this architecture's"), std::string::npos)
      << message;
}

}  // namespace
}  // namespace pingti::models
