// EngineModelTest: real weights through the engine. An answer's tokens and the bits of their
// log-probabilities are the same alone, in a batch of 32, after a prefix hit, with chunked prefill
// and after preemption. Programs instantiate it with models and types of KV. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <latch>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "formats/model_file.h"
#include "runtime/testing/fake_model.h"

namespace pingti::runtime::testing {

// A model that several engines use one after the other; it begins when `start` says so.
class SharedModel final : public models::Model {
 public:
  SharedModel(std::shared_ptr<models::Model> model, std::shared_ptr<std::latch> start)
      : model_(std::move(model)), start_(std::move(start)) {}
  const models::ModelShape& shape() const override { return model_->shape(); }
  size_t weight_bytes_per_token() const override { return model_->weight_bytes_per_token(); }
  size_t weight_bytes() const override { return model_->weight_bytes(); }
  bool has_prompt_path() const override { return model_->has_prompt_path(); }
  void Forward(const ops::Batch& batch, ops::KvCache& cache, float* logits) override {
    start_->wait();
    model_->Forward(batch, cache, logits);
  }

 private:
  std::shared_ptr<models::Model> model_;
  std::shared_ptr<std::latch> start_;
};

struct Answer {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;
  int32_t cached_tokens = 0;
};

struct ModelCase {
  std::string name;
  std::string path;  // under the repository's golden models, or under $PINGTI_MODELS
  bool in_repository = true;
  int32_t prompt_min = 34;  // tokens
  int32_t prompt_max = 100;
  int32_t answer = 60;  // tokens, where a pool must overflow
  int32_t answer_short = 24;
  size_t compared = 12;      // of the 32 requests: alone is slow
  int32_t tight_blocks = 9;  // as many as the answers overflow
  int threads = 1;
  // Of a log-probability: where activations are 8 bits, a difference in rounding may choose other
  // codes.
  float naive_tolerance = 0.1F;
};

inline std::ostream& operator<<(std::ostream& out, const ModelCase& model_case) {
  return out << model_case.name;
}

class EngineModelTest : public ::testing::TestWithParam<std::tuple<ModelCase, ops::KvType>> {
 protected:
  void SetUp() override {
    const ModelCase& model_case = std::get<0>(GetParam());
    std::filesystem::path path = std::filesystem::path("tests/golden/models") / model_case.path;
    if (!model_case.in_repository) {
      const char* folder = std::getenv("PINGTI_MODELS");
      if (folder == nullptr) GTEST_SKIP() << "PINGTI_MODELS names no folder of models";
      path = std::filesystem::path(folder) / model_case.path;
    }
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there";
    auto file = formats::OpenModelFile(path);
    ASSERT_TRUE(file.ok()) << file.status().message();
    file_ = std::move(file).value();
    models::LoadOptions options;
    options.rows_max = kRowsMax;
    auto model = models::LoadModel(*file_, ctx_, options);
    ASSERT_TRUE(model.ok()) << model.status().message();
    model_ = std::move(model).value();
    // Ids only: the model's own texts do not matter here.
    text::TokenizerSpec spec = text::testing::ByteBpeSpec({"~ ~"}, {"<end>"});
    tokenizer_ = text::Tokenizer::Create(std::move(spec)).value();
    std::mt19937 random(17);
    const auto vocab = static_cast<uint32_t>(model_->shape().vocab_size);
    for (size_t i = 0; i < kRequests; ++i) {
      // Later ones are longer: they take a new block first and must give it up to earlier ones.
      const auto spread = static_cast<size_t>(model_case.prompt_max - model_case.prompt_min);
      std::vector<int32_t> prompt(static_cast<size_t>(model_case.prompt_min) + 2 * i % spread);
      for (int32_t& token : prompt) token = static_cast<int32_t>(random() % vocab);
      prompts_.push_back(std::move(prompt));
    }
  }

  EngineOptions Options() const {
    EngineOptions options;
    options.kv_type = std::get<1>(GetParam());
    options.sequences_max = 32;
    options.batch_tokens_max = kRowsMax;
    options.prefix_cache = false;
    options.kv_bytes = BlockBytes() * 400;
    return options;
  }
  int64_t BlockBytes() const {
    return static_cast<int64_t>(
        ops::KvCache::BlockBytes(model_->shape().kv, std::get<1>(GetParam())));
  }

  struct Runs {
    size_t count = 0;     // of the prompts
    int32_t answer = 0;   // tokens
    bool at_once = true;  // or one after the other
  };
  std::vector<Answer> Run(const EngineOptions& options, const Runs& runs) {
    auto start = std::make_shared<std::latch>(1);
    auto engine = Engine::Start(std::make_unique<SharedModel>(model_, start), tokenizer_, ctx_,
                                options, nullptr);
    PT_CHECK(engine.ok(), engine.status().message().c_str());
    if (!runs.at_once) start->count_down();
    std::vector<std::shared_ptr<CollectingSink>> sinks;
    for (size_t i = 0; i < runs.count; ++i) {
      sinks.push_back(std::make_shared<CollectingSink>());
      PT_CHECK(engine.value()->Submit(Request(i, runs.answer), sinks.back()).ok(),
               "the request is good");
      if (!runs.at_once) sinks.back()->Wait();
    }
    if (runs.at_once) start->count_down();
    std::vector<Answer> answers;
    for (const auto& sink : sinks) {
      Answer answer;
      answer.cached_tokens = sink->Wait().usage.cached_tokens;
      for (const TokenInfo& info : sink->infos()) {
        answer.tokens.push_back(info.token);
        answer.logprobs.push_back(info.logprob);
      }
      answers.push_back(std::move(answer));
    }
    preemptions_ = engine.value()->stats().preemptions;
    return answers;
  }

  GenerateRequest Request(size_t i, int32_t answer) const {
    GenerateRequest request;
    request.id = std::to_string(i);
    request.prompt = prompts_[i];
    request.sampling.temperature = 0;
    request.sampling.ignore_eos = true;
    request.sampling.top_logprobs = 0;
    request.sampling.max_tokens = answer;
    return request;
  }

  // Answers to the same prompts; one may be shorter.
  static void ExpectEqual(const Answer& found, const Answer& alone, const std::string& how) {
    const auto count = static_cast<ptrdiff_t>(std::min(found.tokens.size(), alone.tokens.size()));
    ASSERT_GT(count, 0) << how;
    for (ptrdiff_t i = 0; i < count; ++i) {
      const auto at = static_cast<size_t>(i);
      ASSERT_EQ(found.tokens[at], alone.tokens[at]) << how << ", token " << i;
      ASSERT_EQ(found.logprobs[at], alone.logprobs[at]) << how << ", token " << i;
    }
  }
  void ExpectEqual(const EngineOptions& options, const Runs& runs, const std::vector<Answer>& alone,
                   const std::string& how) {
    const std::vector<Answer> found = Run(options, runs);
    for (size_t i = 0; i < std::min(found.size(), alone.size()); ++i) {
      ASSERT_NO_FATAL_FAILURE(
          ExpectEqual(found[i], alone[i], how + ", request " + std::to_string(i)));
    }
  }

  void ExpectTheSameBits() {
    const ModelCase& model_case = std::get<0>(GetParam());
    const size_t count = model_case.compared;
    const std::vector<Answer> alone =
        Run(Options(), {.count = count, .answer = model_case.answer, .at_once = false});
    ASSERT_EQ(alone[0].tokens.size(), static_cast<size_t>(model_case.answer));

    ExpectEqual(Options(), {.count = kRequests, .answer = model_case.answer_short}, alone,
                "in a batch of 32");

    EngineOptions chunked = Options();
    chunked.prefill_chunk_max = 32;
    ExpectEqual(chunked, {.count = count, .answer = model_case.answer_short}, alone,
                "with chunks of 32");
    chunked.prefill_chunk_max = 7;
    ExpectEqual(chunked, {.count = count, .answer = model_case.answer_short}, alone,
                "with chunks of 7");

    EngineOptions tight = Options();
    tight.kv_bytes = BlockBytes() * model_case.tight_blocks;
    tight.prefix_cache = true;
    ExpectEqual(tight, {.count = count, .answer = model_case.answer}, alone, "in a tight pool");
    EXPECT_GT(preemptions_, 0U);

    EngineOptions cached = Options();
    cached.prefix_cache = true;
    prompts_ = {prompts_[0], prompts_[1], prompts_[0], prompts_[1]};
    const std::vector<Answer> twice = Run(
        cached, {.count = prompts_.size(), .answer = model_case.answer_short, .at_once = false});
    EXPECT_GT(twice[2].cached_tokens + twice[3].cached_tokens, 0);
    ExpectEqual(twice[2], alone[0], "after a prefix hit");
    ExpectEqual(twice[3], alone[1], "after a prefix hit");
  }

  static constexpr int32_t kRowsMax = 512;
  static constexpr size_t kRequests = 32;
  ThreadPool pool_{{.threads = std::get<0>(GetParam()).threads}};
  ops::Context ctx_{pool_, *kernels::ProcessTable().value()};
  std::unique_ptr<formats::ModelFile> file_;
  std::shared_ptr<models::Model> model_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::vector<std::vector<int32_t>> prompts_;
  uint64_t preemptions_ = 0;
};

inline std::string CaseName(
    const ::testing::TestParamInfo<std::tuple<ModelCase, ops::KvType>>& info) {
  return std::get<0>(info.param).name + "_" + std::string(ops::KvTypeName(std::get<1>(info.param)));
}

}  // namespace pingti::runtime::testing
