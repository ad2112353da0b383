#include "config.h"

#include <gtest/gtest.h>

namespace pingti::apps {
namespace {

// The server's options after these flags.
Result<server::ServerOptions> OptionsOf(const std::vector<std::string>& flags) {
  Config config;
  OptionSet set(ConfigTables(config));
  PT_ASSIGN(const OptionSet::Arguments arguments, set.Parse(flags));
  PT_TRY(set.ApplyFlags(arguments));
  return MakeServerOptions(config, "model.gguf");
}

TEST(EngineConfig, TheFormulaIsOffUnlessAskedFor) {
  EXPECT_FALSE(OptionsOf({})->engine.maybe_batch_limit.has_value());
  const auto formula = OptionsOf({"--batch-policy", "formula"})->engine.maybe_batch_limit;
  ASSERT_TRUE(formula.has_value());
  constexpr int64_t kMib = 1 << 20;
  EXPECT_EQ(formula->base_size, 4);
  EXPECT_EQ(formula->memory_per_sample_bytes, 2048 * kMib);
  EXPECT_EQ(formula->reserve_bytes, 2048 * kMib);
  const auto set = OptionsOf({"--batch-policy=formula", "--batch-base-size=8",
                              "--batch-memory-per-sample=512M", "--batch-memory-reserve=1G"})
                       ->engine.maybe_batch_limit;
  ASSERT_TRUE(set.has_value());
  EXPECT_EQ(set->base_size, 8);
  EXPECT_EQ(set->memory_per_sample_bytes, 512 * kMib);
  EXPECT_EQ(set->reserve_bytes, 1024 * kMib);
}

TEST(EngineConfig, AttentionIsChosenByEitherFlag) {
  EXPECT_EQ(OptionsOf({})->engine.attention, ops::AttentionKind::kFlash);
  EXPECT_EQ(OptionsOf({"--attn=naive"})->engine.attention, ops::AttentionKind::kNaive);
  EXPECT_EQ(OptionsOf({"--attention=flash"})->engine.attention, ops::AttentionKind::kFlash);
  EXPECT_FALSE(OptionsOf({"--attn=other"}).ok());
}

}  // namespace
}  // namespace pingti::apps
