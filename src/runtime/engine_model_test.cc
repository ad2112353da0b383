// The engine over small models of every family, and over a real one where it is at hand.
#include "runtime/testing/engine_model.h"

namespace pingti::runtime::testing {
namespace {

TEST_P(EngineModelTest, TheSameBitsHoweverItIsServed) { ExpectTheSameBits(); }

TEST_P(EngineModelTest, NaiveAttentionAgrees) {
  const Runs runs{.count = 4, .answer = 1};
  const std::vector<Answer> flash = Run(Options(), runs);
  EngineOptions options = Options();
  options.attention = ops::AttentionKind::kNaive;
  const std::vector<Answer> naive = Run(options, runs);
  for (size_t i = 0; i < flash.size(); ++i) {
    // Where two tokens are as likely to a rounding, either may come; their likelihood is the same.
    EXPECT_NEAR(flash[i].logprobs[0], naive[i].logprobs[0], std::get<0>(GetParam()).naive_tolerance)
        << i;
  }
}

const ModelCase kTiny[] = {
    {.name = "llama_q4_1", .path = "llama/q4_1/model.gguf"},
    {.name = "llama_f32", .path = "llama/f32/model.gguf", .naive_tolerance = 1e-4F},
    {.name = "qwen2_q4_k", .path = "qwen2/q4_k_m/model.gguf"},
};
INSTANTIATE_TEST_SUITE_P(Tiny, EngineModelTest,
                         ::testing::Combine(::testing::ValuesIn(kTiny),
                                            ::testing::Values(ops::KvType::kF16, ops::KvType::kBF16,
                                                              ops::KvType::kQ8)),
                         CaseName);

// Seconds each: one type of KV.
const ModelCase kReal[] = {{.name = "real",
                            .path = "SmolLM2-135M-Instruct.Q4_1.gguf",
                            .in_repository = false,
                            .prompt_max = 42,
                            .answer = 32,
                            .answer_short = 6,
                            .compared = 4,
                            .tight_blocks = 8,
                            .naive_tolerance = 0.5F}};
INSTANTIATE_TEST_SUITE_P(Real, EngineModelTest,
                         ::testing::Combine(::testing::ValuesIn(kReal),
                                            ::testing::Values(ops::KvType::kF16)),
                         CaseName);

}  // namespace
}  // namespace pingti::runtime::testing
