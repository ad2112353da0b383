// Greedy answers of real models, for each type of KV: the same however they are served. Takes a
// minute or two on two quiet cores.
#include "runtime/testing/engine_model.h"

namespace pingti::runtime::testing {
namespace {

TEST_P(EngineModelTest, TheSameBitsHoweverItIsServed) { ExpectTheSameBits(); }

ModelCase Real(const char* name, const char* file) {
  return {.name = name,
          .path = file,
          .in_repository = false,
          .prompt_max = 42,
          .answer = 32,
          .answer_short = 5,
          .compared = 4,
          .tight_blocks = 8,
          .threads = 0};
}

INSTANTIATE_TEST_SUITE_P(
    Real, EngineModelTest,
    ::testing::Combine(
        ::testing::Values(Real("SmolLM2_135M", "SmolLM2-135M-Instruct.Q4_1.gguf"),
                          Real("Qwen25_Coder_05B", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"),
                          Real("Qwen25_Coder_15B", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf")),
        ::testing::Values(ops::KvType::kF16, ops::KvType::kBF16, ops::KvType::kQ8)),
    CaseName);

}  // namespace
}  // namespace pingti::runtime::testing
