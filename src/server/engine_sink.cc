#include "server/engine_sink.h"

#include <utility>

namespace pingti::server {

namespace {

protocol::FinishReason ToReason(runtime::FinishReason reason) {
  switch (reason) {
    case runtime::FinishReason::kNone: return protocol::FinishReason::kNone;
    case runtime::FinishReason::kStop: return protocol::FinishReason::kStop;
    case runtime::FinishReason::kLength: return protocol::FinishReason::kLength;
    case runtime::FinishReason::kCancelled: return protocol::FinishReason::kCancelled;
    case runtime::FinishReason::kError: return protocol::FinishReason::kError;
  }
  return protocol::FinishReason::kError;
}

}  // namespace

EngineSink::EngineSink(protocol::Listener listener, Options options)
    : listener_(std::move(listener)),
      options_(std::move(options)),
      splitters_(static_cast<size_t>(options_.choices), dialects::ReasoningSplitter(options_.thinking)) {}

void EngineSink::OnDelta(runtime::Delta delta) {
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    was_empty = deltas_.empty();
    deltas_.push_back(std::move(delta));
  }
  Wake(was_empty);
}

void EngineSink::OnFinished(runtime::Finished finished) {
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    was_empty = deltas_.empty();
    finished_ = std::move(finished);
  }
  options_.under_way->fetch_sub(1);
  Wake(was_empty);
}

void EngineSink::Wake(bool was_empty) {
  // Where deltas wait, a Deliver is on its way already and will see this event too.
  if (was_empty) listener_.executor->Post([self = shared_from_this()] { self->Deliver(); });
}

void EngineSink::Deliver() {
  std::vector<runtime::Delta> deltas;
  std::optional<runtime::Finished> finished;
  {
    std::lock_guard lock(mutex_);
    deltas.swap(deltas_);
    finished.swap(finished_);
  }
  std::optional<protocol::Delta> out;
  const auto send = [&] {
    if (out) listener_.sink->OnDelta(*std::exchange(out, std::nullopt));
  };
  for (runtime::Delta& delta : deltas) {
    if (out && out->choice != delta.choice) send();
    if (!out) out.emplace().choice = delta.choice;
    Translate(std::move(delta), *out);
    if (out->finish != protocol::FinishReason::kNone) send();
  }
  send();
  if (finished) TranslateEnd(*finished);
}

void EngineSink::Translate(runtime::Delta delta, protocol::Delta& out) {
  auto& splitter = splitters_[static_cast<size_t>(delta.choice)];
  if (splitter.thinking()) reasoning_tokens_ += static_cast<int64_t>(delta.tokens.size());
  auto piece = splitter.Append(delta.text);
  if (delta.finish != runtime::FinishReason::kNone) {
    const auto rest = splitter.Finish();
    piece.reasoning += rest.reasoning;
    piece.text += rest.text;
  }
  out.reasoning += piece.reasoning;
  out.text += piece.text;
  if (options_.logprobs) {
    for (const runtime::TokenInfo& token : delta.tokens) out.tokens.push_back(ToToken(token));
  }
  out.finish = ToReason(delta.finish);
  out.stop_text = std::move(delta.stop_text);
}

void EngineSink::TranslateEnd(const runtime::Finished& finished) {
  protocol::Finished out;
  out.status = finished.status;
  out.usage = {.prompt_tokens = finished.usage.prompt_tokens,
               .cached_tokens = finished.usage.cached_tokens,
               .completion_tokens = finished.usage.completion_tokens,
               .reasoning_tokens = reasoning_tokens_};
  out.seed = finished.seed;
  for (const runtime::TokenInfo& token : finished.prompt) out.prompt.push_back(ToToken(token));
  listener_.sink->OnFinished(std::move(out));
  // The sink holds the exchange, which holds the connection: nothing more is coming.
  listener_ = {};
}

protocol::TokenInfo EngineSink::ToToken(const runtime::TokenInfo& info) const {
  protocol::TokenInfo out;
  out.chosen = ToLogprob(info.token, info.logprob);
  out.top.reserve(info.top.size());
  for (const runtime::TokenLogprob& candidate : info.top) out.top.push_back(ToLogprob(candidate.token, candidate.logprob));
  return out;
}

protocol::TokenLogprob EngineSink::ToLogprob(int32_t token, float logprob) const {
  return {.token = token, .bytes = std::string(options_.tokenizer->TokenBytes(token, true)), .logprob = logprob};
}

}  // namespace pingti::server
