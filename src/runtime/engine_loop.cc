#include "runtime/engine_loop.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace pingti::runtime {
namespace {

constexpr int64_t kIdleWaitMs =
    500;  // an idle loop still comes round this often, as a sign of life

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

EngineLoop::EngineLoop(Parts parts)
    : parts_(std::move(parts)),
      scheduler_(parts_.scheduler),
      pace_({.tokens_max = parts_.options.batch_tokens_max,
             .stretch = parts_.options.step_stretch}),
      vocab_size_(static_cast<size_t>(parts_.model->shape().vocab_size)),
      scratch_(static_cast<size_t>(parts_.ctx.pool.size())) {
  stats_.kv_blocks = parts_.cache->blocks();
  PublishStats();
}

void EngineLoop::Run() {
  Clock::time_point round = Clock::now();
  while (true) {
    parts_.progress_ns.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
    CommandQueue::Commands commands =
        parts_.queue.Take(scheduler_.idle() ? kIdleWaitMs : 0, scheduler_.waiting());
    for (std::unique_ptr<ActiveRequest>& request : commands.submitted) Accept(std::move(request));
    for (const std::string& id : commands.cancelled) Cancel(id);
    if (commands.closed) {
      AbortAll(Cancelled("the engine was stopped"), FinishReason::kCancelled);
      return;
    }
    const double busy_before = stats_.busy_seconds;
    try {
      if (!scheduler_.idle()) Step();
    } catch (const std::exception& error) {  // a library's, e.g. no memory
      AbortAll(Internal(std::string("the engine's step failed: ") + error.what()),
               FinishReason::kError);
    }
    const Clock::time_point end = Clock::now();
    busy_share_.Note(stats_.busy_seconds - busy_before, Seconds(end - round));
    stats_.busy_share = busy_share_.value();
    round = end;
    PublishStats();
  }
}

void EngineLoop::Accept(std::unique_ptr<ActiveRequest> request) {
  const GenerateRequest& wanted = request->request;
  Choice* first = request->choices.front().get();
  first->maybe_sequence = scheduler_.Add({.tokens = wanted.prompt,
                                          .priority = wanted.priority,
                                          .fairness_key = wanted.fairness_key,
                                          .cache_salt = wanted.cache_salt,
                                          .forks = wanted.best_of,
                                          .wants_prompt_rows = wanted.sampling.prompt_logprobs >= 0,
                                          .maybe_choice = first});
  const std::string& id = wanted.id;
  requests_.emplace(id, std::move(request));
}

void EngineLoop::Cancel(const std::string& id) {
  const auto found = requests_.find(id);
  if (found == requests_.end()) return;  // it has just ended
  Abort(*found->second, Cancelled("the request was cancelled"), FinishReason::kCancelled);
}

void EngineLoop::Abort(ActiveRequest& request, Status status, FinishReason reason) {
  for (const std::unique_ptr<Choice>& choice : request.choices) {
    if (choice->ended()) continue;
    if (choice->maybe_sequence != nullptr) {
      request.cached_tokens =
          std::max(request.cached_tokens, choice->maybe_sequence->cached_tokens);
      scheduler_.Finish(std::exchange(choice->maybe_sequence, nullptr));
    }
    Send(request, choice->End(reason));
  }
  request.choices_open = 0;
  request.failure = std::move(status);
  FinishRequest(request);
}

void EngineLoop::AbortAll(const Status& status, FinishReason reason) {
  while (!requests_.empty()) Abort(*requests_.begin()->second, status, reason);
}

void EngineLoop::Step() {
  const Clock::time_point begin = Clock::now();
  const StepPlan& plan = scheduler_.Plan(pace_.PromptTokensMax(scheduler_.decoding()));
  PT_CHECK(!plan.empty(), "a step always has something to do while requests live");
  NoteStarts(plan);
  Compute(plan);
  scheduler_.Complete();
  CollectPromptLogprobs(plan);
  CollectJobs(plan);
  SampleJobs();
  now_ = Clock::now();
  const double seconds = Seconds(now_ - begin);
  const auto tokens = static_cast<int32_t>(plan.tokens.size());
  const int32_t answers = plan.single_rows();
  pace_.Note({.answer_rows = answers, .prompt_rows = tokens - answers, .seconds = seconds});
  ++stats_.steps;
  stats_.last_batch_tokens = tokens;
  stats_.last_batch_sequences = static_cast<int32_t>(plan.shares.size());
  for (Job& job : jobs_) Deliver(job);
  stats_.busy_seconds += Seconds(Clock::now() - begin);
  if (parts_.maybe_observer != nullptr) parts_.maybe_observer->OnStep(tokens, seconds);
}

void EngineLoop::NoteStarts(const StepPlan& plan) {
  for (const PlannedRows& share : plan.shares) {
    ActiveRequest& request = share.sequence->maybe_choice->request();
    if (!request.started.has_value()) request.started = Clock::now();
  }
}

void EngineLoop::Compute(const StepPlan& plan) {
  for (const BlockCopy& copy : plan.copies) parts_.cache->CopyBlock(copy.from, copy.to);
  const size_t needed = plan.output_rows.size() * vocab_size_;
  if (logits_.size() < needed) logits_.resize(needed);
  parts_.model->Forward(plan.batch(), *parts_.cache, logits_.data());
}

std::span<const float> EngineLoop::Row(size_t row) const {
  return std::span<const float>(logits_).subspan(row * vocab_size_, vocab_size_);
}

void EngineLoop::CollectPromptLogprobs(const StepPlan& plan) {
  for (const PlannedRows& share : plan.shares) {
    ActiveRequest& request = share.sequence->maybe_choice->request();
    for (int32_t i = 0; i < share.prompt_outputs; ++i) {
      const auto next = static_cast<size_t>(share.prompt_position_begin + i + 1);
      request.prompt_infos[next] = RowLogprobs(
          Row(static_cast<size_t>(share.output_begin + i)), request.request.prompt[next],
          request.request.sampling.prompt_logprobs, scratch_[0]);
    }
  }
}

void EngineLoop::CollectJobs(const StepPlan& plan) {
  jobs_.clear();
  for (const PlannedRows& share : plan.shares) {
    if (!share.samples) continue;
    const auto row = static_cast<size_t>(share.output_begin + share.prompt_outputs);
    Choice* choice = share.sequence->maybe_choice;
    jobs_.push_back({.choice = choice, .row = row, .sampled = {}});
    // The prompt is computed: the other choices begin with the same row, each with its own
    // randomness.
    for (size_t next = 1; share.sequence->forks > 1; ++next) {
      Choice* other = choice->request().choices[next].get();
      other->maybe_sequence = scheduler_.Fork(share.sequence, other);
      jobs_.push_back({.choice = other, .row = row, .sampled = {}});
    }
  }
}

void EngineLoop::SampleJobs() {
  const auto sample = [this](Job& job, SamplerScratch& scratch) {
    job.sampled =
        job.choice->sampler().Sample(Row(job.row), job.choice->maybe_sequence->tokens, scratch);
  };
  ThreadPool& pool = parts_.ctx.pool;
  if (jobs_.size() < 2 || pool.size() < 2) {
    for (Job& job : jobs_) sample(job, scratch_[0]);
    return;
  }
  std::atomic<size_t> cursor{0};
  pool.Run([&](int worker) {
    for (size_t i = cursor.fetch_add(1); i < jobs_.size(); i = cursor.fetch_add(1)) {
      sample(jobs_[i], scratch_[static_cast<size_t>(worker)]);
    }
  });
}

void EngineLoop::Deliver(Job& job) {
  Choice& choice = *job.choice;
  ActiveRequest& request = choice.request();
  const int32_t token = job.sampled.token;
  request.cached_tokens = std::max(request.cached_tokens, choice.maybe_sequence->cached_tokens);
  Delta delta = choice.Take(std::move(job.sampled));
  if (token >= 0) NoteToken(choice);
  if (delta.finish == FinishReason::kError)
    request.failure = Internal("the model's logits are not numbers");
  if (choice.ended()) {
    scheduler_.Finish(std::exchange(choice.maybe_sequence, nullptr));
    --request.choices_open;
  } else {
    scheduler_.Append(choice.maybe_sequence, token);
  }
  Send(request, std::move(delta));
  if (request.choices_open == 0) FinishRequest(request);
}

void EngineLoop::NoteToken(Choice& choice) {
  ++stats_.generation_tokens;
  ActiveRequest& request = choice.request();
  EngineObserver* observer = parts_.maybe_observer;
  if (!request.first_token.has_value()) {
    request.first_token = now_;
    stats_.prompt_tokens += request.request.prompt.size();
    if (observer != nullptr) observer->OnFirstToken(Seconds(now_ - request.arrived));
  }
  if (choice.tokens() > 1 && observer != nullptr)
    observer->OnInterToken(Seconds(now_ - choice.last_token));
  choice.last_token = now_;
}

void EngineLoop::Send(ActiveRequest& request, Delta delta) {
  if (!request.buffers()) return request.sink->OnDelta(std::move(delta));
  Delta& collected = request.choices[static_cast<size_t>(delta.choice)]->collected;
  collected.text += delta.text;
  std::move(delta.tokens.begin(), delta.tokens.end(), std::back_inserter(collected.tokens));
  collected.finish = delta.finish;
  collected.stop_text = std::move(delta.stop_text);
}

// The n answers with the highest mean logprob, best first.
void EngineLoop::SendBest(ActiveRequest& request) {
  std::vector<Choice*> order;
  for (const std::unique_ptr<Choice>& choice : request.choices) order.push_back(choice.get());
  std::sort(order.begin(), order.end(), [](const Choice* a, const Choice* b) {
    return a->mean_logprob() != b->mean_logprob() ? a->mean_logprob() > b->mean_logprob()
                                                  : a->index() < b->index();
  });
  for (int32_t rank = 0; rank < request.request.n; ++rank) {
    Delta delta = std::move(order[static_cast<size_t>(rank)]->collected);
    delta.choice = rank;
    request.sink->OnDelta(std::move(delta));
  }
}

void EngineLoop::FinishRequest(ActiveRequest& request) {
  if (request.buffers()) SendBest(request);
  Usage usage{.prompt_tokens = static_cast<int32_t>(request.request.prompt.size()),
              .cached_tokens = request.cached_tokens};
  for (const std::unique_ptr<Choice>& choice : request.choices)
    usage.completion_tokens += choice->tokens();
  if (parts_.maybe_observer != nullptr) {
    const Clock::time_point end = Clock::now();
    const Clock::time_point started = request.started.value_or(end);
    const Clock::time_point first = request.first_token.value_or(end);
    parts_.maybe_observer->OnRequest(
        {.queue_seconds = Seconds(started - request.arrived),
         .prefill_seconds = Seconds(first - started),
         .decode_seconds = Seconds(end - first),
         .e2e_seconds = Seconds(end - request.arrived),
         .time_to_first_token_seconds = Seconds(first - request.arrived),
         .usage = usage,
         .reason = request.choices.front()->reason(),
         .n = request.request.n,
         .max_tokens = request.request.sampling.max_tokens});
  }
  const std::string id = request.request.id;
  const std::shared_ptr<EventSink> sink = std::move(request.sink);
  Finished finished{.status = std::move(request.failure),
                    .usage = usage,
                    .seed = request.seed,
                    .prompt = std::move(request.prompt_infos)};
  requests_.erase(id);
  PublishStats();  // who hears of the end finds it counted
  sink->OnFinished(std::move(finished));
  parts_.queue.OnEnded(id);
}

void EngineLoop::PublishStats() {
  const BlockPool& pool = scheduler_.pool();
  const SchedulerCounters& counters = scheduler_.counters();
  stats_.running = scheduler_.running();
  stats_.waiting = scheduler_.waiting();
  stats_.kv_blocks_used = pool.used_blocks();
  stats_.kv_blocks_cached = pool.kept_blocks();
  stats_.kv_waste = scheduler_.waste();
  stats_.prefix_queries_tokens = counters.prefix_queries_tokens;
  stats_.prefix_hits_tokens = counters.prefix_hits_tokens;
  stats_.preemptions = counters.preemptions;
  if (scheduler_.idle()) stats_.last_batch_tokens = stats_.last_batch_sequences = 0;
  parts_.board.Publish(stats_);
}

}  // namespace pingti::runtime
