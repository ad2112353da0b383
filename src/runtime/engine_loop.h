// EngineLoop: the body of the engine's thread. It owns the requests, the scheduler, the KV memory
// and the model; the rest of the program reaches it through the CommandQueue and is told through
// EventSinks, the observer and the StatsBoard.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "models/model.h"
#include "ops/context.h"
#include "ops/kv_cache.h"
#include "runtime/busy_share.h"
#include "runtime/choice.h"
#include "runtime/command_queue.h"
#include "runtime/engine.h"
#include "runtime/scheduler.h"
#include "runtime/stats_board.h"
#include "runtime/step_pace.h"

namespace pingti::runtime {

class EngineLoop final {
 public:
  struct Parts {
    std::unique_ptr<models::Model> model;
    std::unique_ptr<ops::KvCache> cache;
    ops::Context& ctx;
    EngineOptions options;  // defaults filled in
    SchedulerOptions scheduler;
    EngineObserver* maybe_observer = nullptr;
    CommandQueue& queue;
    StatsBoard& board;
    std::atomic<int64_t>& progress_ns;  // the clock's reading when the loop last came round
  };
  explicit EngineLoop(Parts parts);

  // Returns when the queue is closed; requests that still live are cancelled.
  void Run();

 private:
  // A row of logits from which a choice's next token is drawn.
  struct Job {
    Choice* choice = nullptr;
    size_t row = 0;
    SampledToken sampled;
  };

  void Accept(std::unique_ptr<ActiveRequest> request);
  void Cancel(const std::string& id);
  void Abort(ActiveRequest& request, Status status, FinishReason reason);
  void AbortAll(const Status& status, FinishReason reason);

  void Step();
  void Compute(const StepPlan& plan);
  void NoteStarts(const StepPlan& plan);
  void CollectPromptLogprobs(const StepPlan& plan);
  void CollectJobs(const StepPlan& plan);
  void SampleJobs();
  void Deliver(Job& job);
  void Send(ActiveRequest& request, Delta delta);
  void SendBest(ActiveRequest& request);
  void NoteToken(Choice& choice);
  void FinishRequest(ActiveRequest& request);
  void PublishStats();
  std::span<const float> Row(size_t row) const;

  Parts parts_;
  Scheduler scheduler_;
  StepPace pace_;
  size_t vocab_size_;
  std::unordered_map<std::string, std::unique_ptr<ActiveRequest>> requests_;
  std::vector<float> logits_;  // [output rows, vocab_size]; grows to the most that was needed
  std::vector<Job> jobs_;
  std::vector<SamplerScratch> scratch_;  // [workers]
  EngineStats stats_;
  BusyShare busy_share_;
  Clock::time_point now_;  // the end of the current step
};

}  // namespace pingti::runtime
