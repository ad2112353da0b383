// POST /v1/summarize: a summary of a text of any length, made by map and reduce over chats
// (endpoints/map_reduce.h)
#include "endpoints/generation.h"
#include "endpoints/map_reduce.h"
#include "protocol/answers.h"

namespace pingti::endpoints {

namespace {

using protocol::FinishReason;

class SummaryAnswer final : public Generation {
 public:
  SummaryAnswer(Call call, const protocol::SummarizeRequest& request)
      : Generation(std::move(call), request.stream, request.options.model,
                   {.id_prefix = "sum-", .object = "summary", .chunk_object = kChunk}) {}

  void BeginSummary(protocol::SummarizeRequest request) {
    Begin(1, [&](size_t, protocol::Listener listener) -> Result<std::string> {
      Context& context = *call().context;
      map_reduce_ = std::make_shared<MapReduce>(context.backend, context.run_heavy,
                                                std::move(request), std::move(listener));
      PT_TRY(map_reduce_->Start());
      return std::string("summary");
    });
  }

 private:
  static constexpr char kChunk[] = "summary.chunk";

  void Cancel(const std::string&) override { map_reduce_->Cancel(); }

  void OnDelta(size_t, protocol::Delta delta) override {
    if (delta.finish != FinishReason::kNone) finish_ = delta.finish;
    if (!streaming()) {
      text_ += delta.text;
      return;
    }
    if (delta.text.empty() && delta.finish == FinishReason::kNone) return;
    json::object event = Head(kChunk);
    event["delta"] = delta.text;
    event["finish_reason"] = protocol::FinishReasonJson(delta.finish);
    Send(SseEvent(event));
  }

  void OnPromptFinished(size_t, const protocol::Finished&) override {}

  void AddEnd(json::object& object) const {
    object["chunks"] = map_reduce_->chunks();
    object["levels"] = map_reduce_->levels();
    object["usage"] = protocol::UsageJson(usage());
    object["seed"] = seed();
  }

  std::string StreamEnd() override {
    json::object event = Head(kChunk);
    event["delta"] = "";
    event["finish_reason"] = protocol::FinishReasonJson(finish_);
    AddEnd(event);
    return SseEvent(event);
  }

  json::object Body() override {
    json::object body = Head("summary");
    body["summary"] = text_;
    body["finish_reason"] = protocol::FinishReasonJson(finish_);
    AddEnd(body);
    return body;
  }

  std::shared_ptr<MapReduce> map_reduce_;
  std::string text_;
  FinishReason finish_ = FinishReason::kStop;
};

void HandleSummarize(Call call) {
  Context& context = *call.context;
  auto request = protocol::ParseSummarizeRequest(call.request().body, context.limits);
  if (!request.ok()) return RespondError(*call.exchange, request.status());
  request->options.caller = call.caller;
  auto answer = std::make_shared<SummaryAnswer>(std::move(call), *request);
  answer->BeginSummary(std::move(request).value());
}

PINGTI_REGISTER_ROUTE("POST", "/v1/summarize", HandleSummarize, .weight = Weight::kHeavy,
                      .scope = "summarize");

}  // namespace

}  // namespace pingti::endpoints
