#include "endpoints/generation.h"

#include <ctime>

#include "protocol/answers.h"
#include "protocol/errors.h"

namespace pingti::endpoints {

using protocol::FinishReason;

std::string SseEvent(const json::value& value) { return "data: " + ToJson(value) + "\n\n"; }

class Generation::PromptSink final : public protocol::GenerationSink {
 public:
  PromptSink(std::shared_ptr<Generation> generation, size_t prompt)
      : generation_(std::move(generation)), prompt_(prompt) {}
  void OnDelta(protocol::Delta delta) override { generation_->HandleDelta(prompt_, std::move(delta)); }
  void OnFinished(protocol::Finished finished) override { generation_->HandleFinished(prompt_, std::move(finished)); }

 private:
  std::shared_ptr<Generation> generation_;
  size_t prompt_;
};

Generation::Generation(Call call, protocol::StreamOptions stream, const std::string& model, const Names& names)
    : call_(std::move(call)),
      stream_(stream),
      model_(model.empty() ? call_.context->backend.Models().front().id : model),
      names_(names),
      created_(static_cast<int64_t>(std::time(nullptr))) {
  chunk_head_ = "data: " + ToJson(Head(names_.chunk_object));
  chunk_head_.pop_back();  // the closing brace
  chunk_tail_ = stream_.include_usage ? ",\"usage\":null}\n\n" : "}\n\n";
}

json::object Generation::Head(const char* object) const {
  return {{"id", names_.id_prefix + call_.exchange->request_id()},
          {"object", object},
          {"created", created_},
          {"model", model_},
          {"system_fingerprint", "fp_pingti_" + call_.context->version}};
}

json::object Generation::BodyOf(json::array choices) const {
  json::object body = Head(names_.object);
  body["choices"] = std::move(choices);
  body["usage"] = protocol::UsageJson(usage_);
  body["seed"] = seed_;
  return body;
}

std::string Generation::Chunk(size_t index, std::string_view fields, std::string_view logprobs, FinishReason finish,
                              const std::string& stop_text) const {
  std::string out;
  out.reserve(chunk_head_.size() + fields.size() + logprobs.size() + 128);
  out += chunk_head_;
  out += ",\"choices\":[{\"index\":";
  out += std::to_string(index);
  out += ',';
  out += fields;
  out += ",\"logprobs\":";
  out += logprobs;
  out += ",\"finish_reason\":";
  out += finish == FinishReason::kNone ? "null" : ToJson(protocol::FinishReasonJson(finish));
  if (!stop_text.empty()) out += ",\"stop_reason\":" + ToJson(json::value(stop_text));
  out += "}]";
  out += chunk_tail_;
  return out;
}

std::string Generation::StreamEnd() {
  if (!stream_.include_usage) return {};
  return chunk_head_ + ",\"choices\":[],\"seed\":" + std::to_string(seed_) +
         ",\"usage\":" + ToJson(protocol::UsageJson(usage_)) + "}\n\n";
}

void Generation::Begin(size_t prompts, const Start& start) {
  left_ = prompts;  // no event comes before the first start
  const std::weak_ptr<Generation> weak = weak_from_this();
  call_.exchange->OnDisconnect([weak] {
    const auto self = weak.lock();
    if (!self) return;
    self->call_.context->metrics.cancelled_by_client.Add();
    self->CancelAll();
  });
  for (size_t i = 0; i < prompts; ++i) {
    auto ticket = start(i, {.executor = call_.exchange, .sink = std::make_shared<PromptSink>(shared_from_this(), i)});
    if (ticket.ok()) {
      std::lock_guard lock(mutex_);
      tickets_.push_back(std::move(ticket).value());
      continue;
    }
    CancelAll();
    return RespondError(*call_.exchange, ticket.status());
  }
  bool cancelled = false;
  {
    std::lock_guard lock(mutex_);
    cancelled = cancelled_;
  }
  if (cancelled) CancelAll();  // the client went while the prompts were started
  if (streaming()) StartStream();
  call_.exchange->Post([self = shared_from_this()] { self->Begun(); });
}

void Generation::Begun() {
  begun_ = true;
  const auto early = std::move(early_);
  for (const auto& event : early) event();
}

void Generation::StartStream() {
  net::Response head{.status = 200,
                     .headers = {{"Content-Type", "text/event-stream; charset=utf-8"},
                                 {"Cache-Control", "no-cache"},
                                 {"X-Accel-Buffering", "no"}},
                     .body = StreamStart()};
  call_.exchange->StartStream(std::move(head));
  call_.exchange->SetHeartbeat(": waiting\n\n", call_.context->heartbeat_ms);
}

void Generation::CancelAll() {
  std::vector<std::string> tickets;
  {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    tickets.swap(tickets_);
  }
  for (const std::string& ticket : tickets) Cancel(ticket);
}

void Generation::HandleDelta(size_t prompt, protocol::Delta delta) {
  if (!begun_) {
    early_.push_back([this, prompt, delta = std::move(delta)] { HandleDelta(prompt, delta); });
    return;
  }
  if (!first_token_seen_) {
    first_token_seen_ = true;
    call_.record->ttft_ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - call_.arrived).count();
  }
  if (delta.finish != FinishReason::kNone) reason_ = delta.finish;
  OnDelta(prompt, std::move(delta));
}

void Generation::HandleFinished(size_t prompt, protocol::Finished finished) {
  if (!begun_) {
    early_.push_back([this, prompt, finished = std::move(finished)] { HandleFinished(prompt, finished); });
    return;
  }
  usage_.prompt_tokens += finished.usage.prompt_tokens;
  usage_.cached_tokens += finished.usage.cached_tokens;
  usage_.completion_tokens += finished.usage.completion_tokens;
  usage_.reasoning_tokens += finished.usage.reasoning_tokens;
  if (finished.status.ok()) {
    seed_ = finished.seed;
    OnPromptFinished(prompt, finished);
  } else if (failure_.ok()) {
    failure_ = finished.status;
    CancelAll();  // one broken prompt breaks the answer
  }
  if (--left_ == 0) End();
}

void Generation::End() {
  observe::AccessRecord& record = *call_.record;
  record.model = model_;
  record.prompt_tokens = usage_.prompt_tokens;
  record.cached_tokens = usage_.cached_tokens;
  record.completion_tokens = usage_.completion_tokens;
  const bool ok = failure_.ok();
  if (!ok) reason_ = failure_.code() == StatusCode::kCancelled ? FinishReason::kCancelled : FinishReason::kError;
  record.finish_reason = std::string(protocol::FinishReasonName(reason_));
  if (call_.on_usage) call_.on_usage(usage_);
  if (!streaming()) {
    if (!ok) return RespondError(*call_.exchange, failure_);
    return RespondJson(call_, Body());
  }
  // After the head has gone out an error can only be an event.
  std::string end = ok ? StreamEnd() : "data: " + protocol::ToErrorAnswer(failure_).body + "\n\n";
  end += "data: [DONE]\n\n";
  Send(std::move(end));
  call_.exchange->Finish();
}

}  // namespace pingti::endpoints
