#include "runtime/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <random>
#include <thread>
#include <utility>

#include "runtime/engine_loop.h"
#include "runtime/kv_budget.h"

namespace pingti::runtime {
namespace {

uint64_t DrawSeed() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 32 | device();
}

Status CheckOptions(const EngineOptions& options) {
  const auto positive = [](const char* name, int64_t value) {
    return value >= 1 ? Status::Ok()
                      : InvalidArgument(
                            fmt::format("{} must be at least 1, but is {}", name, value), name);
  };
  PT_TRY(positive("sequences_max", options.sequences_max));
  PT_TRY(positive("prefill_chunk_max", options.prefill_chunk_max));
  PT_TRY(positive("queue_max", options.queue_max));
  if (!(options.step_stretch >= 1)) {
    return InvalidArgument(
        fmt::format("step_stretch must be at least 1, but is {}", options.step_stretch),
        "step_stretch");
  }
  if (options.batch_tokens_max >= options.sequences_max) return Status::Ok();
  return InvalidArgument(
      fmt::format(
          "batch_tokens_max ({}) must not be below sequences_max ({}): each sequence needs a "
          "token of each step",
          options.batch_tokens_max, options.sequences_max),
      "batch_tokens_max");
}

// Fills context_length and kv_bytes where they are 0 and says how many blocks there are.
Result<int32_t> Resolve(const models::ModelShape& shape, EngineOptions& options) {
  PT_TRY(CheckOptions(options));
  const bool chosen = options.context_length > 0;
  if (options.context_length > shape.context_length) {
    return InvalidArgument(fmt::format("context_length is {}, but the model was made for {}",
                                       options.context_length, shape.context_length),
                           "context_length");
  }
  if (!chosen) options.context_length = shape.context_length;
  PT_ASSIGN(const int32_t blocks, KvBlocks({.shape = shape.kv,
                                            .type = options.kv_type,
                                            .context_length = options.context_length,
                                            .sequences_max = options.sequences_max,
                                            .kv_bytes = options.kv_bytes,
                                            .available_bytes = AvailableMemoryBytes()}));
  options.kv_bytes =
      static_cast<int64_t>(ops::KvCache::BlockBytes(shape.kv, options.kv_type)) * blocks;
  const int64_t held = static_cast<int64_t>(blocks) * ops::kBlockTokens;
  if (held >= options.context_length) return blocks;
  if (chosen) {
    return InvalidArgument(
        fmt::format("context_length is {}, but the KV cache of {} bytes holds {} tokens",
                    options.context_length, options.kv_bytes, held),
        "context_length");
  }
  options.context_length = held;
  return blocks;
}

Status CheckVocabulary(const text::Tokenizer& tokenizer, int32_t vocab_size) {
  for (const int32_t token : tokenizer.end_tokens()) {
    if (token >= 0 && token < vocab_size) continue;
    return InvalidArgument(fmt::format(
        "the tokenizer's end token {} is not in the model's vocabulary of {}", token, vocab_size));
  }
  return Status::Ok();
}

Status CheckCounts(const GenerateRequest& request, int32_t sequences_max) {
  if (request.n < 1)
    return InvalidArgument(fmt::format("n must be at least 1, but is {}", request.n), "n");
  if (request.best_of < request.n) {
    return InvalidArgument(
        fmt::format("best_of ({}) must not be below n ({})", request.best_of, request.n),
        "best_of");
  }
  if (request.best_of <= sequences_max) return Status::Ok();
  return InvalidArgument(fmt::format("{} answers are asked for, but at most {} are made at once",
                                     request.best_of, sequences_max),
                         request.best_of > request.n ? "best_of" : "n");
}

Status CheckPrompt(const GenerateRequest& request, int64_t context_length, int32_t vocab_size) {
  const size_t tokens = request.prompt.size();
  if (tokens == 0) return InvalidArgument("the prompt is empty", "prompt");
  if (static_cast<int64_t>(tokens) >= context_length) {
    return InvalidArgument(fmt::format("the prompt has {} tokens; the context holds {}, of which "
                                       "at least one is for the answer",
                                       tokens, context_length),
                           "prompt");
  }
  for (const int32_t token : request.prompt) {
    if (token >= 0 && token < vocab_size) continue;
    return InvalidArgument(
        fmt::format("the prompt has token id {}, but the vocabulary has ids 0 to {}", token,
                    vocab_size - 1),
        "prompt");
  }
  return Status::Ok();
}

// The memory that sequences may share is what the machine has left beside the weights; where that
// is unknown, the KV cache's and the reserve.
std::function<int32_t(int32_t)> SequencesLimit(const EngineOptions& options) {
  if (!options.maybe_batch_limit.has_value()) return {};
  const BatchLimitOptions limit = *options.maybe_batch_limit;
  const int64_t available = AvailableMemoryBytes();
  const int64_t memory = available > 0 ? available : options.kv_bytes + limit.reserve_bytes;
  return [limit, memory](int32_t waiting) {
    const int64_t size =
        AdjustBatchSize({.pending_requests = waiting, .memory_bytes = memory}, limit);
    return static_cast<int32_t>(std::min<int64_t>(size, std::numeric_limits<int32_t>::max()));
  };
}

}  // namespace

struct Engine::State {
  State(const EngineOptions& filled, const models::ModelShape& model_shape,
        std::shared_ptr<const text::Tokenizer> tokens)
      : options(filled),
        shape(model_shape),
        tokenizer(std::move(tokens)),
        queue(filled.queue_max) {}

  EngineOptions options;
  models::ModelShape shape;
  std::shared_ptr<const text::Tokenizer> tokenizer;
  CommandQueue queue;
  StatsBoard board;
  std::atomic<int64_t> progress_ns{0};
  std::unique_ptr<EngineLoop> loop;
  std::thread thread;
};

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Engine>> Engine::Start(std::unique_ptr<models::Model> model,
                                              std::shared_ptr<const text::Tokenizer> tokenizer,
                                              ops::Context& ctx, const EngineOptions& options,
                                              EngineObserver* maybe_observer) {
  EngineOptions filled = options;
  ctx.attention = options.attention;
  const models::ModelShape shape = model->shape();
  PT_TRY(CheckVocabulary(*tokenizer, shape.vocab_size));
  PT_ASSIGN(const int32_t blocks, Resolve(shape, filled));
  PT_ASSIGN(std::unique_ptr<ops::KvCache> cache,
            ops::KvCache::Create(shape.kv, filled.kv_type, blocks));
  auto state = std::make_unique<State>(filled, shape, std::move(tokenizer));
  state->progress_ns = Clock::now().time_since_epoch().count();
  const SchedulerOptions scheduler{.blocks = blocks,
                                   .sequences_max = filled.sequences_max,
                                   .batch_tokens_max = filled.batch_tokens_max,
                                   .prefill_chunk_max = filled.prefill_chunk_max,
                                   .prefix_cache = filled.prefix_cache,
                                   .answers_apart = model->has_prompt_path(),
                                   .hash_seed = DrawSeed(),
                                   .sequences_limit = SequencesLimit(filled)};
  state->loop = std::make_unique<EngineLoop>(EngineLoop::Parts{.model = std::move(model),
                                                               .cache = std::move(cache),
                                                               .ctx = ctx,
                                                               .options = filled,
                                                               .scheduler = scheduler,
                                                               .maybe_observer = maybe_observer,
                                                               .queue = state->queue,
                                                               .board = state->board,
                                                               .progress_ns = state->progress_ns});
  state->thread = std::thread([loop = state->loop.get(), &pool = ctx.pool] {
    pool.PinCaller();  // this thread starts no others, which would inherit it
    loop->Run();
  });
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

Engine::~Engine() {
  state_->queue.Close();
  state_->thread.join();
}

Status Engine::Submit(GenerateRequest request, std::shared_ptr<EventSink> sink) {
  const State& state = *state_;
  PT_TRY(Validate(request.sampling, state.shape.vocab_size));
  PT_TRY(CheckCounts(request, state.options.sequences_max));
  PT_TRY(CheckPrompt(request, state.options.context_length, state.shape.vocab_size));
  auto active = std::make_unique<ActiveRequest>();
  active->request = std::move(request);
  const GenerateRequest& wanted = active->request;
  const auto prompt_tokens = static_cast<int64_t>(wanted.prompt.size());
  const int64_t asked = wanted.sampling.max_tokens > 0 ? prompt_tokens + wanted.sampling.max_tokens
                                                       : state.options.context_length;
  active->length_max = static_cast<int32_t>(std::min(asked, state.options.context_length));
  active->sink = std::move(sink);
  active->seed = wanted.sampling.seed.has_value() ? *wanted.sampling.seed : DrawSeed();
  active->arrived = Clock::now();
  active->choices_open = wanted.best_of;
  for (int32_t i = 0; i < wanted.best_of; ++i) {
    active->choices.push_back(std::make_unique<Choice>(*active, i, state.tokenizer));
  }
  if (wanted.sampling.prompt_logprobs >= 0) {
    active->prompt_infos.resize(wanted.prompt.size());
    active->prompt_infos[0].token = wanted.prompt[0];
  }
  return state_->queue.Submit(std::move(active));
}

void Engine::Cancel(std::string_view id) { state_->queue.Cancel(id); }

bool Engine::Drain(int64_t timeout_ms) {
  state_->queue.RefuseNew();
  return state_->queue.WaitUntilIdle(timeout_ms);
}

EngineStats Engine::stats() const { return state_->board.Read(); }

double Engine::seconds_since_progress() const {
  const Clock::duration now = Clock::now().time_since_epoch();
  const Clock::duration then(state_->progress_ns.load(std::memory_order_relaxed));
  return std::max(0.0, std::chrono::duration<double>(now - then).count());
}

const models::ModelShape& Engine::model_shape() const { return state_->shape; }
const EngineOptions& Engine::options() const { return state_->options; }

}  // namespace pingti::runtime
