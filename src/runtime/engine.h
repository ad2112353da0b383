// Engine: one thread that owns requests, scheduler, block pool, KV memory and sampler states, and runs the model step
// by step (continuous batching with chunked prefill, paged KV, prefix reuse). No lock inside: the rest of the program
// talks to it through two bounded queues. All public methods are thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "models/model.h"
#include "ops/kv_cache.h"
#include "runtime/batch_limit.h"
#include "runtime/request.h"
#include "text/tokenizer.h"

namespace pingti::runtime {

struct EngineOptions {
  int64_t context_length = 0;       // tokens a sequence may have; 0: the model's own
  ops::KvType kv_type = ops::KvType::kF16;
  // Memory for KV blocks; 0: half of what is available (control groups included), but not more than sequences_max
  // sequences of context_length could use. Pages are taken when first written.
  int64_t kv_bytes = 0;
  int32_t sequences_max = 256;      // sequences that decode in one step
  int32_t batch_tokens_max = 2048;  // tokens of one step, decode and prefill together
  int32_t prefill_chunk_max = 512;  // of one prompt in one step
  // A step that answers and prompts share takes at most so many times as long as one of the answers alone
  // (step_pace.h): the bound of the time between two tokens of a stream.
  double step_stretch = 3;
  int32_t queue_max = 1024;         // waiting requests; more are refused (ResourceExhausted)
  bool prefix_cache = true;
  // Also bound the sequences of a step by load and memory (batch_limit.h); blocks and sequences_max bound them anyway.
  std::optional<BatchLimitOptions> maybe_batch_limit = {};
  ops::AttentionKind attention = ops::AttentionKind::kFlash;
};

// Read at any time; each number is exact at some recent step.
struct EngineStats {
  int32_t running = 0;
  int32_t waiting = 0;
  int32_t kv_blocks = 0;
  int32_t kv_blocks_used = 0;           // held by running sequences
  int32_t kv_blocks_cached = 0;         // kept for reuse only
  double kv_waste = 0;                  // share of the used blocks' token places that hold none
  uint64_t prefix_queries_tokens = 0;   // prompt tokens looked up / found
  uint64_t prefix_hits_tokens = 0;
  uint64_t prompt_tokens = 0;
  uint64_t generation_tokens = 0;
  uint64_t preemptions = 0;
  uint64_t steps = 0;
  int32_t last_batch_tokens = 0;        // of the latest step
  int32_t last_batch_sequences = 0;
  double busy_seconds = 0;              // spent in steps since the start
  double busy_share = 0;                // of the latest seconds (busy_share.h)
};

// Histograms' input: called on the engine's thread once per step and once per finished request; must be cheap.
class EngineObserver {
 public:
  virtual ~EngineObserver() = default;
  struct RequestTimes {
    double queue_seconds = 0;
    double prefill_seconds = 0;
    double decode_seconds = 0;
    double e2e_seconds = 0;
    double time_to_first_token_seconds = 0;
    Usage usage;
    FinishReason reason = FinishReason::kNone;
    int32_t n = 1;
    int32_t max_tokens = 0;
  };
  virtual void OnStep(int32_t batch_tokens, double seconds) = 0;
  virtual void OnFirstToken(double seconds_since_arrival) = 0;
  virtual void OnInterToken(double seconds) = 0;
  virtual void OnRequest(const RequestTimes& times) = 0;
};

class Engine final {
 public:
  // `model` and `tokenizer` outlive nothing else: the engine keeps them. `maybe_observer` outlives the engine.
  static Result<std::unique_ptr<Engine>> Start(std::unique_ptr<models::Model> model,
                                               std::shared_ptr<const text::Tokenizer> tokenizer,
                                               ops::Context& ctx, const EngineOptions& options,
                                               EngineObserver* maybe_observer);
  ~Engine();  // cancels what is left

  // Queues the request. Errors: InvalidArgument (a parameter; a prompt longer than the context, with both numbers),
  // ResourceExhausted (queue full), Unavailable (draining).
  Status Submit(GenerateRequest request, std::shared_ptr<EventSink> sink);
  // Takes effect within one step, in prefill too. Unknown ids are ignored (the request may just have ended).
  void Cancel(std::string_view id);

  // No new requests from now on; returns when all are done or after `timeout_ms`. True: all done.
  bool Drain(int64_t timeout_ms);

  EngineStats stats() const;
  // Seconds since the loop last came round; small unless a step hangs.
  double seconds_since_progress() const;
  const models::ModelShape& model_shape() const;
  const EngineOptions& options() const;  // with the defaults filled in

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pingti::runtime
