#include "runtime/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>

#include "runtime/testing/fake_model.h"

namespace pingti::runtime {
namespace {

using testing::CollectingSink;
using testing::FakeEngine;
using testing::FakeModelOptions;
using testing::kFakeEnd;

TEST(Engine, GreedyAnswerIsTheModels) {
  FakeEngine fake;
  auto sink = fake.Submit(FakeEngine::Request("a", "hello", 20));
  const Finished finished = sink->Wait();
  EXPECT_TRUE(finished.status.ok());
  EXPECT_EQ(sink->ids(), fake.reference.Answer({'h', 'e', 'l', 'l', 'o'}, 20));
  EXPECT_EQ(sink->text().size(), 20U);
  EXPECT_EQ(sink->reason(), FinishReason::kLength);
  EXPECT_EQ(finished.usage.prompt_tokens, 5);
  EXPECT_EQ(finished.usage.completion_tokens, 20);
}

TEST(Engine, ManyAtOnceInATinyPoolEqualEachAlone) {
  EngineOptions options;
  options.sequences_max = 8;
  options.batch_tokens_max = 48;
  options.prefill_chunk_max = 32;
  options.kv_bytes =
      static_cast<int64_t>(ops::KvCache::BlockBytes({1, 1, 32, 32}, ops::KvType::kF16)) * 8;
  FakeEngine fake({}, options);
  std::mt19937 random(7);
  struct Case {
    std::string prompt;
    int32_t tokens = 0;
    std::shared_ptr<CollectingSink> sink;
  };
  std::vector<Case> cases;
  for (int i = 0; i < 60; ++i) {
    Case one;
    one.prompt = std::string(random() % 70, 'p') +
                 std::string(1 + random() % 60, static_cast<char>('a' + random() % 3));
    one.tokens = static_cast<int32_t>(60 + random() % 40);
    one.sink = fake.Submit(FakeEngine::Request("r" + std::to_string(i), one.prompt, one.tokens));
    cases.push_back(one);
  }
  for (Case& one : cases) {
    EXPECT_TRUE(one.sink->Wait().status.ok());
    EXPECT_EQ(one.sink->ids(),
              fake.reference.Answer({one.prompt.begin(), one.prompt.end()}, one.tokens));
  }
  EXPECT_GT(fake.engine->stats().preemptions, 0U);
  EXPECT_TRUE(fake.engine->Drain(10000));
}

TEST(Engine, SecondTurnFindsPromptAndAnswerInTheCache) {
  FakeEngine fake;
  std::string prompt(100, 'x');
  auto first = fake.Submit(FakeEngine::Request("1", prompt, 60));
  EXPECT_EQ(first->Wait().usage.cached_tokens, 0);
  auto second = fake.Submit(FakeEngine::Request("2", prompt + first->text() + " and?", 10));
  EXPECT_EQ(second->Wait().usage.cached_tokens, 128);  // of 165: whole blocks that were computed
}

TEST(Engine, SeedsDecideAndAreReported) {
  FakeEngine fake;
  const auto run = [&fake](std::optional<uint64_t> seed, const std::string& id) {
    GenerateRequest request = FakeEngine::Request(id, "seed", 30);
    request.sampling.temperature = 2;
    request.sampling.seed = seed;
    request.n = request.best_of = 3;
    auto sink = fake.Submit(std::move(request));
    const uint64_t used = sink->Wait().seed;
    std::vector<std::vector<int32_t>> answers;
    for (int32_t choice = 0; choice < 3; ++choice) answers.push_back(sink->ids(choice));
    return std::pair(used, answers);
  };
  const auto drawn = run(std::nullopt, "1");
  const auto other = run(std::nullopt, "2");
  const auto again = run(drawn.first, "3");
  EXPECT_EQ(drawn.second, again.second);
  EXPECT_NE(drawn.second, other.second);
  EXPECT_NE(drawn.second[0], drawn.second[1]);
  EXPECT_NE(drawn.second[1], drawn.second[2]);
}

TEST(Engine, StopTextAcrossTokensIsCut) {
  FakeEngine fake({.script = "hello world STOP more"});
  GenerateRequest request = FakeEngine::Request("1", "h", 100);
  request.sampling.stop = {"nothing", " STOP"};
  auto sink = fake.Submit(request);
  const Finished finished = sink->Wait();
  EXPECT_EQ(sink->text(), "ello world");
  EXPECT_EQ(sink->reason(), FinishReason::kStop);
  EXPECT_EQ(sink->stop_text(), " STOP");
  EXPECT_EQ(finished.usage.completion_tokens, 15);  // the stop text's tokens count
  request.id = "2";
  request.sampling.include_stop_text = true;
  auto with = fake.Submit(request);
  with->Wait();
  EXPECT_EQ(with->text(), "ello world STOP");
  request.id = "3";
  request.sampling.min_tokens = 20;
  request.sampling.max_tokens = 24;
  auto late = fake.Submit(request);
  late->Wait();
  EXPECT_EQ(late->text(), "ello world STOP morehell");
}

TEST(Engine, DeltasHoldWholeCharacters) {
  FakeEngine fake({.script = "a平替b"});
  class Sink final : public CollectingSink {
   public:
    void OnDelta(Delta delta) override {
      const std::set<std::string> whole = {"", "a", "b", "平", "替", "\xEF\xBF\xBD"};
      EXPECT_TRUE(whole.contains(delta.text)) << delta.text;
      CollectingSink::OnDelta(std::move(delta));
    }
  };
  auto sink = std::make_shared<Sink>();
  ASSERT_TRUE(fake.engine->Submit(FakeEngine::Request("1", "a", 17), sink).ok());
  sink->Wait();
  EXPECT_EQ(sink->text(),
            "平替ba平替ba\xEF\xBF\xBD");  // cut in a character: it is replaced at the end
}

TEST(Engine, EndTokensStopUnlessIgnored) {
  FakeEngine fake;
  GenerateRequest request = FakeEngine::Request("1", "hi", 10);
  request.sampling.logit_bias = {{kFakeEnd, 100.0F}};
  auto sink = fake.Submit(request);
  EXPECT_EQ(sink->Wait().usage.completion_tokens, 1);
  EXPECT_EQ(sink->reason(), FinishReason::kStop);
  EXPECT_EQ(sink->text(), "");
  request.id = "2";
  request.sampling.ignore_eos = true;
  auto ignored = fake.Submit(request);
  EXPECT_EQ(ignored->Wait().usage.completion_tokens, 10);
  request.id = "3";
  request.sampling.ignore_eos = false;
  request.sampling.min_tokens = 4;
  auto later = fake.Submit(request);
  EXPECT_EQ(later->Wait().usage.completion_tokens, 5);
}

TEST(Engine, BestOfGivesTheBestAtTheEnd) {
  FakeEngine fake;
  GenerateRequest request = FakeEngine::Request("1", "best", 20);
  request.sampling.temperature = 2;
  request.sampling.seed = 5;
  request.sampling.top_logprobs = 2;
  request.n = request.best_of = 6;
  auto all = fake.Submit(request);
  all->Wait();
  std::vector<std::pair<double, std::vector<int32_t>>> ranked;
  for (int32_t choice = 0; choice < 6; ++choice) {
    double sum = 0;
    for (const TokenInfo& info : all->infos(choice)) sum += static_cast<double>(info.logprob);
    ranked.emplace_back(-sum / static_cast<double>(all->infos(choice).size()), all->ids(choice));
  }
  std::sort(ranked.begin(), ranked.end());
  request.id = "2";
  request.n = 2;
  auto best = fake.Submit(request);
  EXPECT_EQ(best->Wait().usage.completion_tokens, 120);
  EXPECT_EQ(best->deltas(), 2);
  EXPECT_EQ(best->ids(0), ranked[0].second);
  EXPECT_EQ(best->ids(1), ranked[1].second);
}

TEST(Engine, PromptLogprobsCoverThePromptAlsoAfterAHit) {
  FakeEngine fake;
  const std::string prompt(90, 'q');
  fake.Submit(FakeEngine::Request("warm", prompt, 5))->Wait();
  GenerateRequest request = FakeEngine::Request("1", prompt, 5);
  request.sampling.prompt_logprobs = 3;
  auto sink = fake.Submit(std::move(request));
  const Finished finished = sink->Wait();
  ASSERT_EQ(finished.prompt.size(), 90U);
  EXPECT_EQ(finished.prompt[0].token, 'q');
  for (size_t i = 1; i < 90; ++i) {
    EXPECT_EQ(finished.prompt[i].token, 'q');
    EXPECT_LT(finished.prompt[i].logprob, 0.0F);
    ASSERT_EQ(finished.prompt[i].top.size(), 3U);
    EXPECT_GE(finished.prompt[i].top[0].logprob, finished.prompt[i].logprob);
  }
  EXPECT_EQ(finished.usage.cached_tokens, 0);
}

TEST(Engine, RefusesWhatCannotBe) {
  FakeEngine fake({.context_length = 64});
  auto sink = std::make_shared<CollectingSink>();
  const auto refusal = [&](GenerateRequest request) {
    return fake.engine->Submit(std::move(request), sink);
  };
  const Status too_long = refusal(FakeEngine::Request("1", std::string(70, 'x'), 5));
  EXPECT_EQ(too_long.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(too_long.message().find("70"), std::string::npos);
  EXPECT_NE(too_long.message().find("64"), std::string::npos);
  EXPECT_EQ(refusal(FakeEngine::Request("1", "", 5)).field(), "prompt");
  GenerateRequest request = FakeEngine::Request("1", "a", 5);
  request.prompt[0] = 9999;
  EXPECT_EQ(refusal(request).field(), "prompt");
  request = FakeEngine::Request("1", "a", 5);
  request.n = 2;
  EXPECT_EQ(refusal(request).field(), "best_of");
  request.best_of = 100000;
  EXPECT_EQ(refusal(request).field(), "best_of");
  request = FakeEngine::Request("1", "a", 5);
  request.sampling.temperature = 3;
  EXPECT_EQ(refusal(request).field(), "temperature");
}

TEST(Engine, AnswersEndWithTheContext) {
  FakeEngine fake({.context_length = 40});
  auto sink = fake.Submit(FakeEngine::Request("1", std::string(30, 'x'), 0));
  EXPECT_EQ(sink->Wait().usage.completion_tokens, 10);
  EXPECT_EQ(sink->reason(), FinishReason::kLength);
}

TEST(Engine, BrokenLogitsFailTheRequestOnly) {
  FakeEngine fake({.broken = true});
  auto sink = fake.Submit(FakeEngine::Request("1", "x", 5));
  EXPECT_EQ(sink->Wait().status.code(), StatusCode::kInternal);
  EXPECT_EQ(sink->reason(), FinishReason::kError);
}

TEST(Engine, CancelEndsARequestWithinAStep) {
  FakeEngine fake({.context_length = 100000, .step_ms = 2}, {.kv_bytes = 64 << 20});
  auto sink = fake.Submit(FakeEngine::Request("1", "endless", 0));
  sink->WaitForDeltas(3);
  fake.engine->Cancel("unknown");
  fake.engine->Cancel("1");
  EXPECT_EQ(sink->Wait().status.code(), StatusCode::kCancelled);
  EXPECT_EQ(sink->reason(), FinishReason::kCancelled);
  EXPECT_LT(sink->deltas(), 1000);
  EXPECT_TRUE(fake.engine->Drain(10000));
  EXPECT_EQ(fake.engine->stats().kv_blocks_used, 0);
  EXPECT_EQ(fake.engine->Submit(FakeEngine::Request("2", "x", 1), sink).code(),
            StatusCode::kUnavailable);
}

TEST(Engine, QueueIsBounded) {
  EngineOptions options;
  options.queue_max = 2;
  options.sequences_max = 1;
  FakeEngine fake({.step_ms = 5}, options);
  std::vector<std::shared_ptr<CollectingSink>> sinks;
  int refused = 0;
  for (int i = 0; i < 20; ++i) {
    auto sink = std::make_shared<CollectingSink>();
    const Status status = fake.engine->Submit(FakeEngine::Request(std::to_string(i), "x", 3), sink);
    if (status.ok()) {
      sinks.push_back(sink);
    } else {
      EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
      ++refused;
    }
  }
  EXPECT_GT(refused, 10);
  for (const auto& sink : sinks) EXPECT_TRUE(sink->Wait().status.ok());
}

// The most sequences of a step while 40 requests wait.
size_t MostAtOnce(const BatchLimitOptions& limit) {
  EngineOptions options;
  options.maybe_batch_limit = limit;
  options.kv_bytes = 3 << 20;
  std::atomic<size_t> most{0};
  FakeModelOptions model;
  model.on_forward = [&most](const ops::Batch& batch) {
    most = std::max(most.load(), batch.sequences.size());
  };
  FakeEngine fake(std::move(model), options);
  std::vector<std::shared_ptr<CollectingSink>> sinks;
  for (int i = 0; i < 40; ++i)
    sinks.push_back(fake.Submit(FakeEngine::Request(std::to_string(i), "limit", 30)));
  for (const auto& sink : sinks) sink->Wait();
  return most;
}

TEST(Engine, BatchLimitBoundsWhatRunsAtOnce) {
  // By load: 2 * (1 + 40 / 10) at most, however much memory there is.
  EXPECT_LE(MostAtOnce({.base_size = 2, .memory_per_sample_bytes = 1, .reserve_bytes = 0}), 10U);
  // By memory: no machine has so much.
  constexpr int64_t kHuge = int64_t{1} << 60;
  EXPECT_EQ(MostAtOnce({.base_size = 8, .memory_per_sample_bytes = kHuge, .reserve_bytes = 0}), 1U);
  EXPECT_EQ(MostAtOnce({.base_size = 8, .memory_per_sample_bytes = 1, .reserve_bytes = kHuge}), 1U);
}

TEST(Engine, BatchSizeAndBusyShareFollowARampOfLoad) {
  EngineOptions options;
  options.sequences_max = 16;
  FakeModelOptions model;
  model.step_ms = 1;
  FakeEngine fake(std::move(model), options);
  EXPECT_EQ(fake.engine->stats().last_batch_sequences, 0);
  EXPECT_EQ(fake.engine->stats().busy_share, 0);
  double share = 0;
  for (const int clients : {1, 4, 16}) {
    std::vector<std::shared_ptr<CollectingSink>> sinks;
    int32_t batch = 0;
    for (int i = 0; i < clients; ++i) {
      sinks.push_back(
          fake.Submit(FakeEngine::Request(std::to_string(clients) + "-" + std::to_string(i),
                                          std::string(1, static_cast<char>('a' + i)), 120)));
    }
    while (sinks.back()->endings() == 0)
      batch = std::max(batch, fake.engine->stats().last_batch_sequences);
    for (const auto& sink : sinks) sink->Wait();
    EXPECT_EQ(batch, clients);
    EXPECT_GT(fake.engine->stats().busy_share, share) << clients;
    share = fake.engine->stats().busy_share;
  }
  EXPECT_LT(share, 1);
}

TEST(Engine, SinkMayCancelItsOwnRequest) {
  FakeEngine fake;
  class Sink final : public CollectingSink {
   public:
    explicit Sink(Engine& engine) : engine_(engine) {}
    void OnDelta(Delta delta) override {
      engine_.Cancel("self");
      CollectingSink::OnDelta(std::move(delta));
    }

   private:
    Engine& engine_;
  };
  auto sink = std::make_shared<Sink>(*fake.engine);
  ASSERT_TRUE(fake.engine->Submit(FakeEngine::Request("self", "x", 100), sink).ok());
  EXPECT_EQ(sink->Wait().status.code(), StatusCode::kCancelled);
  EXPECT_EQ(sink->deltas(), 2);  // one token, and the end
}

TEST(Engine, SubmitAndCancelStorm) {
  EngineOptions options;
  options.sequences_max = 16;
  options.kv_bytes =
      static_cast<int64_t>(ops::KvCache::BlockBytes({1, 1, 32, 32}, ops::KvType::kF16)) * 20;
  FakeEngine fake({}, options);
  constexpr int kThreads = 4;
  constexpr int kRequests = 100;
  std::vector<std::vector<std::shared_ptr<CollectingSink>>> sinks(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&fake, &mine = sinks[static_cast<size_t>(t)], t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < kRequests; ++i) {
        auto sink = std::make_shared<CollectingSink>();
        const std::string id = std::to_string(t) + "." + std::to_string(i);
        GenerateRequest request = FakeEngine::Request(id, std::string(1 + random() % 100, 'x'),
                                                      1 + static_cast<int32_t>(random() % 60));
        request.n = request.best_of = 1 + static_cast<int32_t>(random() % 3);
        if (!fake.engine->Submit(std::move(request), sink).ok()) continue;
        mine.push_back(sink);
        if (random() % 2 == 0) fake.engine->Cancel(id);
        fake.engine->Cancel(std::to_string(t) + "." + std::to_string(random() % 100));
        (void)fake.engine->stats();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(fake.engine->Drain(20000));
  for (const auto& mine : sinks) {
    for (const auto& sink : mine) EXPECT_EQ(sink->endings(), 1);
  }
  EXPECT_EQ(fake.engine->stats().kv_blocks_used, 0);
  EXPECT_EQ(fake.engine->stats().running, 0);
}

TEST(Engine, DestructionCancelsWhatIsLeft) {
  std::shared_ptr<CollectingSink> sink;
  {
    FakeEngine fake({.context_length = 100000, .step_ms = 1}, {.kv_bytes = 64 << 20});
    sink = fake.Submit(FakeEngine::Request("1", "endless", 0));
    sink->WaitForDeltas(1);
  }
  EXPECT_EQ(sink->endings(), 1);
  EXPECT_EQ(sink->Wait().status.code(), StatusCode::kCancelled);
}

TEST(Engine, IdleLoopShowsLifeAndHungStepDoesNot) {
  FakeEngine fake;
  EXPECT_LT(fake.engine->seconds_since_progress(), 5.0);
  FakeEngine hung({.step_ms = 300});
  auto sink = hung.Submit(FakeEngine::Request("1", "x", 1));
  double most = 0;
  while (sink->endings() == 0) {
    most = std::max(most, hung.engine->seconds_since_progress());
    std::this_thread::yield();
  }
  EXPECT_GT(most, 0.2);
}

}  // namespace
}  // namespace pingti::runtime
