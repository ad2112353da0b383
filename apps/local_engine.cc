#include "local_engine.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/i18n.h"
#include "base/progress.h"

namespace pingti::apps {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kCancelCheck = std::chrono::milliseconds(20);

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Hands the engine thread's events to the thread that waits for them.
class Mailbox final : public runtime::EventSink {
 public:
  void OnDelta(runtime::Delta delta) override {
    const std::lock_guard lock(mutex_);
    deltas_.push_back(std::move(delta));
    changed_.notify_one();
  }
  void OnFinished(runtime::Finished finished) override {
    const std::lock_guard lock(mutex_);
    finished_ = std::move(finished);
    is_finished_ = true;
    changed_.notify_one();
  }

  // Waits a little; moves what has come to `out`. True: that was all.
  bool Take(std::deque<runtime::Delta>& out) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kCancelCheck, [this] { return !deltas_.empty() || is_finished_; });
    out.swap(deltas_);
    deltas_.clear();
    return is_finished_;
  }
  const runtime::Finished& finished() const { return finished_; }  // after Take returned true

 private:
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<runtime::Delta> deltas_;
  runtime::Finished finished_;
  bool is_finished_ = false;
};

// The conversation as the model's template prints it.
Result<text::RenderedPrompt> Render(const runtime::Bundle& bundle, const json::array& messages) {
  if (bundle.chat_template == nullptr) {
    return FailedPrecondition(Tr("this model has no chat template: use `pingti run --raw`",
                                 "该模型没有对话模板：请用 `pingti run --raw`"));
  }
  text::ChatInput input;
  input.messages = messages;
  return bundle.chat_template->Render(input);
}

}  // namespace

double Reply::decode_rate() const {
  const double after_first = seconds - first_token_seconds;
  return usage.completion_tokens > 1 && after_first > 0
             ? (usage.completion_tokens - 1) / after_first
             : 0;
}

LocalEngine::~LocalEngine() = default;

Result<std::unique_ptr<LocalEngine>> LocalEngine::Load(const Config& config,
                                                       const ChosenModel& model,
                                                       bool show_progress) {
  PT_ASSIGN(const kernels::KernelTable* table, kernels::ProcessTable());
  PT_ASSIGN(const server::ServerOptions options, MakeServerOptions(config, model.path));
  std::unique_ptr<LocalEngine> local(new LocalEngine({.threads = options.threads}, *table));
  const Clock::time_point begin = Clock::now();
  Progress bar({.title = TrFormat("Loading {}", "加载 {}", model.path.filename().string())});
  bool shown = false;
  models::LoadOptions load;
  load.rows_max = options.engine.batch_tokens_max;
  load.repack_cache_dir = options.repack_cache_dir;
  if (show_progress) {
    load.on_progress = [&](size_t done, size_t all) {
      shown = true;
      bar.Update(done, all);
    };
  }
  PT_ASSIGN(local->bundle_, runtime::LoadBundle(model.path, local->context_, load));
  if (shown) bar.Finish();
  local->weight_bytes_ = local->bundle_.model->weight_bytes();
  local->weight_bytes_per_token_ = local->bundle_.model->weight_bytes_per_token();
  PT_ASSIGN(local->engine_,
            runtime::Engine::Start(std::move(local->bundle_.model), local->bundle_.tokenizer,
                                   local->context_, options.engine, nullptr));
  local->load_seconds_ = SecondsSince(begin);
  return local;
}

Result<std::string> LocalEngine::RenderChat(const json::array& messages) const {
  PT_ASSIGN(text::RenderedPrompt rendered, Render(bundle_, messages));
  return std::move(rendered.text);
}

Result<std::vector<int32_t>> LocalEngine::EncodeChat(const json::array& messages) const {
  PT_ASSIGN(const text::RenderedPrompt rendered, Render(bundle_, messages));
  return bundle_.tokenizer->Encode(rendered.text,
                                   {.parse_special = true, .untrusted = rendered.untrusted});
}

std::vector<int32_t> LocalEngine::EncodeText(std::string_view text) const {
  return bundle_.tokenizer->Encode(text, {.add_special = true, .untrusted = {}});
}

Result<Reply> LocalEngine::Generate(std::vector<int32_t> prompt,
                                    const runtime::SamplingParams& sampling,
                                    const std::function<void(std::string_view)>& on_text,
                                    const std::atomic<bool>* maybe_cancel) {
  runtime::GenerateRequest request;
  request.id = fmt::format("local-{}", next_id_++);
  request.prompt = std::move(prompt);
  request.sampling = sampling;
  const std::string id = request.id;
  const auto mailbox = std::make_shared<Mailbox>();
  const Clock::time_point begin = Clock::now();
  PT_TRY(engine_->Submit(std::move(request), mailbox));
  Reply reply;
  bool cancelled = false;
  for (bool last = false; !last;) {
    std::deque<runtime::Delta> deltas;
    last = mailbox->Take(deltas);
    for (const runtime::Delta& delta : deltas) {
      if (reply.first_token_seconds == 0) reply.first_token_seconds = SecondsSince(begin);
      reply.text += delta.text;
      if (delta.finish != runtime::FinishReason::kNone) reply.finish = delta.finish;
      if (on_text && !delta.text.empty()) on_text(delta.text);
    }
    if (!cancelled && maybe_cancel != nullptr && *maybe_cancel) {
      cancelled = true;
      engine_->Cancel(id);
    }
  }
  reply.seconds = SecondsSince(begin);
  reply.usage = mailbox->finished().usage;
  reply.seed = mailbox->finished().seed;
  if (cancelled) reply.finish = runtime::FinishReason::kCancelled;
  if (!cancelled) PT_TRY(mailbox->finished().status);
  return reply;
}

}  // namespace pingti::apps
