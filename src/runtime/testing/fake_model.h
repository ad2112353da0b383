// FakeModel: a model whose next token is a function of the prefix that it finds in the KV cache, so
// that wrong block tables give wrong answers; or, given a script, text by position. And what tests
// of the engine need around it. For tests only.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "models/model.h"
#include "runtime/engine.h"
#include "runtime/testing/fake_kv.h"
#include "text/testing.h"

namespace pingti::runtime::testing {

inline constexpr int32_t kFakeVocab = 258;  // bytes, one merge and the end token
inline constexpr int32_t kFakeEnd = 257;

struct FakeModelOptions {
  int64_t context_length = 256;
  std::string script = {};  // not empty: position p is followed by the script's byte (p + 1) % size
  bool broken = false;      // logits are NaN
  int64_t step_ms = 0;      // a step takes this long
  std::function<void(const ops::Batch&)> on_forward = {};
};

class FakeModel final : public models::Model {
 public:
  explicit FakeModel(FakeModelOptions options) : options_(std::move(options)) {
    shape_.architecture = "fake";
    shape_.vocab_size = kFakeVocab;
    shape_.context_length = options_.context_length;
    shape_.kv = {.layers = 1, .kv_heads = 1, .key_dim = 32, .value_dim = 32};
  }

  const models::ModelShape& shape() const override { return shape_; }
  size_t weight_bytes_per_token() const override { return 1; }
  size_t weight_bytes() const override { return 1; }
  bool has_prompt_path() const override { return false; }

  void Forward(const ops::Batch& batch, ops::KvCache& cache, float* logits) override {
    if (options_.on_forward) options_.on_forward(batch);
    if (options_.step_ms > 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(options_.step_ms));
    std::vector<uint64_t> digests(batch.tokens.size());
    for (const ops::SequenceRows& rows : batch.sequences) {
      uint64_t digest = rows.position_begin == 0 ? 1 : Load(cache, rows, rows.position_begin - 1);
      for (int32_t i = 0; i < rows.row_count; ++i) {
        const auto row = static_cast<size_t>(rows.row_begin + i);
        PT_CHECK(batch.positions[row] == rows.position_begin + i, "positions follow each other");
        digest = ExtendDigest(digest, batch.tokens[row]);
        std::memcpy(Cell(cache, rows, rows.position_begin + i), &digest, sizeof(digest));
        digests[row] = digest;
      }
    }
    size_t output = 0;
    for (const int32_t row : batch.output_rows) {
      const auto index = static_cast<size_t>(row);
      FillLogits(digests[index], batch.positions[index], logits + output++ * kFakeVocab);
    }
  }

  // The greedy answer to `prompt` alone: up to `count` tokens, the end token included.
  std::vector<int32_t> Answer(const std::vector<int32_t>& prompt, int32_t count) const {
    uint64_t digest = 1;
    for (const int32_t token : prompt) digest = ExtendDigest(digest, token);
    std::vector<int32_t> answer;
    std::vector<float> logits(kFakeVocab);
    while (static_cast<int32_t>(answer.size()) < count) {
      FillLogits(digest, static_cast<int32_t>(prompt.size() + answer.size()) - 1, logits.data());
      answer.push_back(
          static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
      if (answer.back() == kFakeEnd) break;
      digest = ExtendDigest(digest, answer.back());
    }
    return answer;
  }

 private:
  static std::byte* Cell(ops::KvCache& cache, const ops::SequenceRows& rows, int32_t position) {
    const int32_t block = rows.blocks[static_cast<size_t>(position / ops::kBlockTokens)];
    return cache.Keys(0, block) +
           static_cast<size_t>(position % ops::kBlockTokens) * sizeof(uint64_t);
  }
  static uint64_t Load(ops::KvCache& cache, const ops::SequenceRows& rows, int32_t position) {
    uint64_t digest = 0;
    std::memcpy(&digest, Cell(cache, rows, position), sizeof(digest));
    return digest;
  }

  void FillLogits(uint64_t digest, int32_t position, float* logits) const {
    for (int32_t token = 0; token < kFakeVocab; ++token) {
      const uint64_t bits = MixBits(digest + static_cast<uint64_t>(token));
      logits[token] = options_.broken ? std::numeric_limits<float>::quiet_NaN()
                                      : static_cast<float>(bits % 1024) / 256.0F;
    }
    int32_t next = static_cast<int32_t>('a' + digest % 26);
    if (!options_.script.empty()) {
      next = static_cast<unsigned char>(
          options_.script[static_cast<size_t>(position + 1) % options_.script.size()]);
    }
    if (!options_.broken) logits[next] += 8.0F;
  }

  FakeModelOptions options_;
  models::ModelShape shape_;
};

// Keeps what it is told; other threads wait for the end.
class CollectingSink : public EventSink {
 public:
  void OnDelta(Delta delta) override {
    const std::lock_guard lock(mutex_);
    std::string& text = texts_[delta.choice];
    text += delta.text;
    for (TokenInfo& token : delta.tokens) tokens_[delta.choice].push_back(std::move(token));
    if (delta.finish != FinishReason::kNone) {
      reasons_[delta.choice] = delta.finish;
      stop_texts_[delta.choice] = delta.stop_text;
    }
    ++deltas_;
    changed_.notify_all();
  }
  void OnFinished(Finished finished) override {
    const std::lock_guard lock(mutex_);
    finished_ = std::move(finished);
    ++endings_;
    changed_.notify_all();
  }

  Finished Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return endings_ > 0; });
    return finished_;
  }
  void WaitForDeltas(int32_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, count] { return deltas_ >= count || endings_ > 0; });
  }
  std::string text(int32_t choice = 0) {
    const std::lock_guard lock(mutex_);
    return texts_[choice];
  }
  std::vector<int32_t> ids(int32_t choice = 0) {
    const std::lock_guard lock(mutex_);
    std::vector<int32_t> ids;
    for (const TokenInfo& info : tokens_[choice]) ids.push_back(info.token);
    return ids;
  }
  std::vector<TokenInfo> infos(int32_t choice = 0) {
    const std::lock_guard lock(mutex_);
    return tokens_[choice];
  }
  FinishReason reason(int32_t choice = 0) {
    const std::lock_guard lock(mutex_);
    return reasons_[choice];
  }
  std::string stop_text(int32_t choice = 0) {
    const std::lock_guard lock(mutex_);
    return stop_texts_[choice];
  }
  int32_t endings() {
    const std::lock_guard lock(mutex_);
    return endings_;
  }
  int32_t deltas() {
    const std::lock_guard lock(mutex_);
    return deltas_;
  }

 private:
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::map<int32_t, std::string> texts_;
  std::map<int32_t, std::vector<TokenInfo>> tokens_;
  std::map<int32_t, FinishReason> reasons_;
  std::map<int32_t, std::string> stop_texts_;
  Finished finished_;
  int32_t endings_ = 0;
  int32_t deltas_ = 0;
};

// An engine over a FakeModel with a byte tokenizer.
struct FakeEngine {
  explicit FakeEngine(FakeModelOptions model_options = {}, EngineOptions options = {},
                      EngineObserver* maybe_observer = nullptr)
      : pool({.threads = 2, .pin = false}), ctx{pool, table}, reference(model_options) {
    text::TokenizerSpec spec = text::testing::ByteBpeSpec({"~ ~"}, {"<end>"});
    spec.eos = kFakeEnd;
    tokenizer = text::Tokenizer::Create(std::move(spec)).value();
    if (options.kv_bytes == 0) options.kv_bytes = 1 << 20;
    auto started = Engine::Start(std::make_unique<FakeModel>(std::move(model_options)), tokenizer,
                                 ctx, options, maybe_observer);
    PT_CHECK(started.ok(), started.status().message().c_str());
    engine = std::move(started).value();
  }

  // A greedy request for at most `max_tokens`.
  static GenerateRequest Request(std::string id, std::string_view prompt, int32_t max_tokens) {
    GenerateRequest request;
    request.id = std::move(id);
    for (const char c : prompt) request.prompt.push_back(static_cast<unsigned char>(c));
    request.sampling.temperature = 0;
    request.sampling.max_tokens = max_tokens;
    return request;
  }

  std::shared_ptr<CollectingSink> Submit(GenerateRequest request) {
    auto sink = std::make_shared<CollectingSink>();
    const Status status = engine->Submit(std::move(request), sink);
    PT_CHECK(status.ok(), status.message().c_str());
    return sink;
  }

  ThreadPool pool;
  kernels::KernelTable table = {};
  ops::Context ctx;
  FakeModel reference;
  std::shared_ptr<const text::Tokenizer> tokenizer;
  std::unique_ptr<Engine> engine;
};

}  // namespace pingti::runtime::testing
