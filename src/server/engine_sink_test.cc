#include "server/engine_sink.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace pingti::server {
namespace {

// Runs what was posted when told to, as a busy machine would: late.
class LateExecutor final : public Executor {
 public:
  void Post(std::function<void()> task) override { tasks_.push_back(std::move(task)); }
  void RunAll() {
    for (auto& task : std::exchange(tasks_, {})) task();
  }

 private:
  std::vector<std::function<void()>> tasks_;
};

class Kept final : public protocol::GenerationSink {
 public:
  void OnDelta(protocol::Delta delta) override { deltas.push_back(std::move(delta)); }
  void OnFinished(protocol::Finished f) override { finished = std::move(f); }
  std::vector<protocol::Delta> deltas;
  protocol::Finished finished;
};

runtime::Delta Step(std::string text, int32_t choice = 0) {
  runtime::Delta delta;
  delta.choice = choice;
  delta.text = std::move(text);
  delta.tokens.resize(1);
  return delta;
}

struct Fixture {
  explicit Fixture(int32_t choices) {
    using Start = dialects::ReasoningSplitter::Start;
    EngineSink::Options options{.tokenizer = nullptr, .choices = choices, .thinking = Start::kThinking, .under_way = under_way};
    sink = std::make_shared<EngineSink>(protocol::Listener{executor, kept}, std::move(options));
  }
  std::shared_ptr<LateExecutor> executor = std::make_shared<LateExecutor>();
  std::shared_ptr<Kept> kept = std::make_shared<Kept>();
  std::shared_ptr<std::atomic<int32_t>> under_way = std::make_shared<std::atomic<int32_t>>(1);
  std::shared_ptr<EngineSink> sink;
};

TEST(EngineSink, WhatIsDeliveredLateIsCountedAsWhatComesAtOnce) {
  for (const bool late : {false, true}) {
    Fixture f(1);
    for (const char* text : {"two", " and", " two", "</think>", "four", "!"}) {
      f.sink->OnDelta(Step(text));
      if (!late) f.executor->RunAll();
    }
    f.sink->OnFinished({});
    f.executor->RunAll();
    std::string thought;
    std::string text;
    for (const protocol::Delta& delta : f.kept->deltas) {
      thought += delta.reasoning;
      text += delta.text;
    }
    EXPECT_EQ(thought, "two and two");
    EXPECT_EQ(text, "four!");
    EXPECT_EQ(f.kept->finished.usage.reasoning_tokens, 4) << (late ? "late" : "at once");
    EXPECT_EQ(f.kept->deltas.size(), late ? 1U : 6U);
  }
}

TEST(EngineSink, OneDeltaIsOfOneChoiceAndTheEndEndsIt) {
  Fixture f(2);
  f.sink->OnDelta(Step("a", 0));
  f.sink->OnDelta(Step("b", 0));
  f.sink->OnDelta(Step("c", 1));
  runtime::Delta last = Step("d", 1);
  last.finish = runtime::FinishReason::kStop;
  f.sink->OnDelta(std::move(last));
  f.executor->RunAll();
  ASSERT_EQ(f.kept->deltas.size(), 2U);
  EXPECT_EQ(f.kept->deltas[0].reasoning, "ab");
  EXPECT_EQ(f.kept->deltas[1].reasoning, "cd");
  EXPECT_EQ(f.kept->deltas[1].choice, 1);
  EXPECT_EQ(f.kept->deltas[1].finish, protocol::FinishReason::kStop);
}

}  // namespace
}  // namespace pingti::server
