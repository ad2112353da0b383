// The engine as a server uses it, without HTTP: requests go in together, token times come out.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>

#include "bench.h"

namespace pingti::apps {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int32_t kPromptShort = 512;
constexpr int32_t kPromptLong = 2048;
constexpr int32_t kDepth = 4096;
constexpr int32_t kDecodeTokens = 128;
constexpr int32_t kFirstToken = 100;  // prompts are of ordinary tokens: ids from here on
constexpr int32_t kTokenRange = 1000;

// When each token of each sequence came.
class Timeline final {
 public:
  explicit Timeline(size_t sequences) : times_(sequences), open_(sequences) {}

  void Add(size_t sequence, size_t tokens, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    times_[sequence].insert(times_[sequence].end(), tokens, now);
  }
  void Finish(const Status& status) {
    const std::lock_guard lock(mutex_);
    if (!status.ok()) status_ = status;
    if (--open_ == 0) done_.notify_all();
  }
  Status Wait() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return open_ == 0; });
    return status_;
  }
  // After Wait.
  const std::vector<std::vector<Clock::time_point>>& times() const { return times_; }

 private:
  std::mutex mutex_;  // guards all below
  std::condition_variable done_;
  std::vector<std::vector<Clock::time_point>> times_;
  size_t open_;
  Status status_;
};

class SequenceSink final : public runtime::EventSink {
 public:
  SequenceSink(std::shared_ptr<Timeline> timeline, size_t sequence)
      : timeline_(std::move(timeline)), sequence_(sequence) {}
  void OnDelta(runtime::Delta delta) override {
    timeline_->Add(sequence_, delta.tokens.size(), Clock::now());
  }
  void OnFinished(runtime::Finished finished) override { timeline_->Finish(finished.status); }

 private:
  std::shared_ptr<Timeline> timeline_;
  size_t sequence_;
};

double Seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// Random ordinary tokens; another `seed`, another prompt, so that nothing is found in the prefix
// cache.
std::vector<int32_t> Prompt(const LocalEngine& engine, int64_t tokens, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<int32_t> prompt(static_cast<size_t>(tokens));
  const int32_t range = std::min(kTokenRange, engine.shape().vocab_size - kFirstToken);
  for (int32_t& token : prompt)
    token = kFirstToken + static_cast<int32_t>(random() % static_cast<uint64_t>(range));
  return prompt;
}

struct Run {
  double first_token = 0;  // seconds from the start to the first token of the last sequence
  double total = 0;        // seconds to the end
  double decode_rate = 0;  // tokens a second from then on, all sequences together
};

Result<Run> RunOnce(LocalEngine& engine, const std::vector<std::vector<int32_t>>& prompts,
                    int32_t tokens) {
  const auto timeline = std::make_shared<Timeline>(prompts.size());
  static uint64_t next_id = 0;
  const Clock::time_point begin = Clock::now();
  for (size_t i = 0; i < prompts.size(); ++i) {
    runtime::GenerateRequest request;
    request.id = fmt::format("bench-{}", next_id++);
    request.prompt = prompts[i];
    request.sampling.temperature = 0;
    request.sampling.ignore_eos = true;
    request.sampling.max_tokens = tokens;
    PT_TRY(engine.engine().Submit(std::move(request), std::make_shared<SequenceSink>(timeline, i)));
  }
  PT_TRY(timeline->Wait());
  Clock::time_point all_started = begin;
  Clock::time_point end = begin;
  for (const std::vector<Clock::time_point>& times : timeline->times()) {
    if (times.empty()) return Internal("a sequence made no token");
    all_started = std::max(all_started, times.front());
    end = std::max(end, times.back());
  }
  size_t decoded = 0;
  for (const std::vector<Clock::time_point>& times : timeline->times()) {
    decoded += static_cast<size_t>(std::count_if(
        times.begin(), times.end(), [&](Clock::time_point t) { return t > all_started; }));
  }
  const double seconds = Seconds(all_started, end);
  return Run{.first_token = Seconds(begin, all_started),
             .total = Seconds(begin, end),
             .decode_rate = seconds > 0 ? static_cast<double>(decoded) / seconds : 0};
}

std::vector<std::vector<int32_t>> Prompts(const LocalEngine& engine, int64_t count, int32_t tokens,
                                          uint64_t seed) {
  std::vector<std::vector<int32_t>> prompts;
  for (int64_t i = 0; i < count; ++i)
    prompts.push_back(Prompt(engine, tokens, seed * 1'000'003 + static_cast<uint64_t>(i)));
  return prompts;
}

// Bytes of keys and values that one token at this depth reads.
double KvBytes(const LocalEngine& engine, int64_t depth) {
  const size_t block = ops::KvCache::BlockBytes(
      engine.shape().kv, const_cast<LocalEngine&>(engine).engine().options().kv_type);
  return static_cast<double>(block) / ops::kBlockTokens * static_cast<double>(depth);
}

// The limits of one model on this machine, in tokens a second.
class TokenLimits final {
 public:
  TokenLimits(const LocalEngine& engine, const kernels::MachineLimits& limits) : engine_(engine), limits_(limits) {
    // Multiplies of a prompt's token: all weights but the embedding and the head, which only the
    // last one needs.
    const models::ModelShape& shape = engine.shape();
    const double embedding = static_cast<double>(shape.vocab_size) * shape.hidden;
    const bool tied = engine.weight_bytes() <=
                      engine.weight_bytes_per_token() + engine.weight_bytes_per_token() / 20;
    multiplies_ = static_cast<double>(shape.parameters) - embedding * (tied ? 1 : 2);
  }
  double Decode(int64_t depth) const {
    return limits_.memory_bytes_per_second /
           (static_cast<double>(engine_.weight_bytes_per_token()) + KvBytes(engine_, depth));
  }
  // By the unit that multiplies fastest: a matrix unit's BF16, else 8-bit products.
  double Prefill() const {
    return multiplies_ > 0 ? std::max(limits_.i8_ops, limits_.bf16_flops) / (2 * multiplies_) : 0;
  }
  const char* prefill_name() const { return limits_.bf16_flops > limits_.i8_ops ? "bf16" : "int8"; }

 private:
  const LocalEngine& engine_;
  kernels::MachineLimits limits_;
  double multiplies_ = 0;
};

void Add(BenchReport& report, const std::string& name, const std::string& unit, double value,
         double limit, const char* limit_name) {
  BenchRow& row = report.Row(name, unit);
  row.values.push_back(value);
  row.limit = limit;
  row.limit_name = limit_name;
}

Status OneRound(LocalEngine& engine, const BenchOptions& options, const TokenLimits& limits,
                uint64_t seed, BenchReport& report) {
  PT_ASSIGN(const Run pp512, RunOnce(engine, {Prompt(engine, kPromptShort, seed)}, 1));
  Add(report, "prefill_512", "tok/s", kPromptShort / pp512.first_token, limits.Prefill(), limits.prefill_name());
  Add(report, "first_token_512", "ms", pp512.first_token * 1000, 0, "");
  if (!options.quick) {
    PT_ASSIGN(const Run pp2048, RunOnce(engine, {Prompt(engine, kPromptLong, seed + 1)}, 1));
    Add(report, "prefill_2048", "tok/s", kPromptLong / pp2048.first_token, limits.Prefill(),
        limits.prefill_name());
  }
  PT_ASSIGN(const Run tg, RunOnce(engine, {Prompt(engine, 1, seed + 2)}, kDecodeTokens));
  Add(report, "decode_0", "tok/s", tg.decode_rate, limits.Decode(kDecodeTokens / 2), "memory");
  if (!options.quick) {
    // The same prompt each round: its keys and values are found again, only the decoding is
    // measured.
    PT_ASSIGN(const Run deep, RunOnce(engine, {Prompt(engine, kDepth, 1)}, kDecodeTokens));
    Add(report, "decode_4096", "tok/s", deep.decode_rate, limits.Decode(kDepth + kDecodeTokens / 2),
        "memory");
  }
  const std::vector<int64_t> sizes = !options.sizes.empty() ? options.sizes
                                     : options.quick        ? std::vector<int64_t>{8}
                                                            : std::vector<int64_t>{2, 4, 8, 16, 32};
  for (const int64_t size : sizes) {
    PT_ASSIGN(const Run run, RunOnce(engine,
                                     Prompts(engine, size, options.prompt_tokens,
                                             seed + 3 + static_cast<uint64_t>(size)),
                                     options.output_tokens));
    Add(report, fmt::format("batch_{}", size), "tok/s", run.decode_rate, 0, "");
  }
  return Status::Ok();
}

Status CheckContext(LocalEngine& engine, int64_t tokens) {
  const int64_t context = engine.engine().options().context_length;
  if (context >= tokens) return Status::Ok();
  return FailedPrecondition(fmt::format(
      "this bench needs a context of {} tokens, the model has {}: --quick or other --sizes", tokens,
      context));
}

}  // namespace

Status BenchEngine(LocalEngine& engine, const BenchOptions& options, BenchReport& report) {
  PT_TRY(
      CheckContext(engine, options.quick ? kPromptShort + kDecodeTokens : kDepth + kDecodeTokens));
  const TokenLimits limits(engine, options.limits);
  PT_TRY(RunOnce(engine, {Prompt(engine, 32, 0)}, 4).status());  // pages in, threads awake
  for (int32_t round = 0; round < options.Rounds(); ++round) {
    PT_TRY(OneRound(engine, options, limits, 1000 + 100 * static_cast<uint64_t>(round), report));
  }
  return Status::Ok();
}

Status BenchBatch(LocalEngine& engine, const BenchOptions& options, BenchReport& report) {
  const std::vector<int64_t> sizes =
      options.sizes.empty() ? std::vector<int64_t>{1, 16} : options.sizes;
  PT_TRY(RunOnce(engine, {Prompt(engine, 32, 0)}, 4).status());
  for (int32_t round = 0; round < options.Rounds(); ++round) {
    std::vector<double> rates;
    for (const int64_t size : sizes) {
      const auto prompts =
          Prompts(engine, size, options.prompt_tokens,
                  100 * static_cast<uint64_t>(round) + static_cast<uint64_t>(size));
      PT_ASSIGN(const Run run, RunOnce(engine, prompts, options.output_tokens));
      Add(report, fmt::format("batch_{}", size), "tok/s", run.decode_rate, 0, "");
      rates.push_back(run.decode_rate);
    }
    Add(report, fmt::format("ratio_{}_to_{}", sizes.back(), sizes.front()), "x",
        rates.back() / rates.front(), 0, "");
  }
  return Status::Ok();
}

Status BenchThroughput(LocalEngine& engine, const BenchOptions& options, BenchReport& report) {
  PT_TRY(RunOnce(engine, {Prompt(engine, 32, 0)}, 4).status());
  for (int32_t round = 0; round < options.Rounds(); ++round) {
    const auto prompts = Prompts(engine, options.concurrency, options.prompt_tokens,
                                 500 + static_cast<uint64_t>(round));
    PT_ASSIGN(const Run run, RunOnce(engine, prompts, options.output_tokens));
    const double tokens = static_cast<double>(options.concurrency) * options.output_tokens;
    Add(report, fmt::format("output_{}", options.concurrency), "tok/s", tokens / run.total, 0, "");
    Add(report, fmt::format("decode_{}", options.concurrency), "tok/s", run.decode_rate, 0, "");
    Add(report, "all_started", "ms", run.first_token * 1000, 0, "");
  }
  return Status::Ok();
}

}  // namespace pingti::apps
