#include "chat_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/i18n.h"
#include "dialects/reasoning.h"
#include "net/http_client.h"

namespace pingti::apps {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kAnswerIdleMs = 600'000;  // a long prompt on a slow machine is silent for minutes

class LocalChat final : public ChatBackend {
 public:
  explicit LocalChat(std::unique_ptr<LocalEngine> engine) : engine_(std::move(engine)) {}
  std::string name() const override { return engine_->bundle().name; }
  const runtime::SamplingParams& defaults() const override { return engine_->bundle().defaults; }

  Result<ChatReply> Ask(const json::array& messages, const runtime::SamplingParams& sampling,
                        const OnPiece& on_piece, const std::atomic<bool>* maybe_cancel) override {
    PT_ASSIGN(const std::string prompt, engine_->RenderChat(messages));
    using Splitter = dialects::ReasoningSplitter;
    Splitter splitter(dialects::EndsInsideThinking(prompt) ? Splitter::Start::kThinking
                                                           : Splitter::Start::kMayOpen);
    std::string content;
    const auto show = [&](const Splitter::Piece& piece) {
      if (!piece.reasoning.empty()) on_piece(piece.reasoning, true);
      if (!piece.text.empty()) on_piece(piece.text, false);
      content += piece.text;
    };
    PT_ASSIGN(std::vector<int32_t> tokens, engine_->EncodeChat(messages));
    PT_ASSIGN(const Reply reply,
              engine_->Generate(
                  std::move(tokens), sampling,
                  [&](std::string_view text) { show(splitter.Append(text)); }, maybe_cancel));
    show(splitter.Finish());
    return ChatReply{.content = content,
                     .prompt_tokens = reply.usage.prompt_tokens,
                     .completion_tokens = reply.usage.completion_tokens,
                     .first_token_seconds = reply.first_token_seconds,
                     .seconds = reply.seconds,
                     .cancelled = reply.finish == runtime::FinishReason::kCancelled,
                     .cut = reply.finish == runtime::FinishReason::kLength};
  }

 private:
  std::unique_ptr<LocalEngine> engine_;
};

std::string TextOf(const json::value* value) {
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// The sentence of an OpenAI error body, or the body itself.
std::string ErrorText(const std::string& body) {
  const Result<json::value> parsed = ParseJson(body);
  if (parsed.ok() && parsed->is_object()) {
    const json::value* error = parsed->get_object().if_contains("error");
    if (error != nullptr && error->is_object())
      return TextOf(error->get_object().if_contains("message"));
  }
  return body.substr(0, 200);
}

class RemoteChat final : public ChatBackend {
 public:
  RemoteChat(std::string url, std::string key) : url_(std::move(url)), key_(std::move(key)) {}
  std::string name() const override { return model_; }
  const runtime::SamplingParams& defaults() const override { return defaults_; }

  Status Connect() {
    net::FetchOptions fetch;
    fetch.url = url_ + "/v1/models";
    AddKey(fetch);
    PT_ASSIGN(const net::Response answer, net::Fetch(fetch));
    if (answer.status != 200)
      return Unavailable(TrFormat("{} answered {}: {}", "{} 返回 {}：{}", fetch.url, answer.status,
                                  ErrorText(answer.body)));
    PT_ASSIGN(const json::value root, ParseJson(answer.body));
    const json::value* data = root.is_object() ? root.get_object().if_contains("data") : nullptr;
    if (data == nullptr || !data->is_array() || data->get_array().empty() ||
        !data->get_array()[0].is_object()) {
      return DataLoss(TrFormat("{}: no list of models", "{}：没有模型列表", fetch.url));
    }
    model_ = TextOf(data->get_array()[0].get_object().if_contains("id"));
    return Status::Ok();
  }

  Result<ChatReply> Ask(const json::array& messages, const runtime::SamplingParams& sampling,
                        const OnPiece& on_piece, const std::atomic<bool>* maybe_cancel) override {
    net::FetchOptions fetch;
    fetch.method = "POST";
    fetch.url = url_ + "/v1/chat/completions";
    fetch.headers.Add("Content-Type", "application/json");
    AddKey(fetch);
    fetch.body = Body(messages, sampling);
    fetch.idle_timeout_ms = kAnswerIdleMs;
    fetch.maybe_cancel = maybe_cancel;
    begin_ = Clock::now();
    reply_ = {};
    lines_.clear();
    failure_ = Status::Ok();
    int32_t status = 200;
    std::string error_body;
    fetch.on_head = [&](const net::Response& head) {
      status = head.status;
      return true;
    };
    fetch.on_body = [&](std::string_view piece) {
      if (status != 200) {
        error_body += piece.substr(0, 1 << 16);
        return error_body.size() < (1 << 20);
      }
      return Take(piece, on_piece);
    };
    const Result<net::Response> answer = net::Fetch(fetch);
    reply_.seconds = Seconds();
    if (maybe_cancel != nullptr && *maybe_cancel) {
      reply_.cancelled = true;
      return reply_;
    }
    PT_TRY(failure_);
    if (!answer.ok()) return answer.status();
    if (status != 200)
      return Unavailable(
          TrFormat("{} answered {}: {}", "{} 返回 {}：{}", url_, status, ErrorText(error_body)));
    return reply_;
  }

 private:
  void AddKey(net::FetchOptions& fetch) const {
    if (!key_.empty()) fetch.headers.Add("Authorization", "Bearer " + key_);
  }
  double Seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  // Only what differs from the defaults: the server knows the model's own.
  std::string Body(const json::array& messages, const runtime::SamplingParams& p) const {
    json::object body = {{"model", model_},
                         {"messages", messages},
                         {"stream", true},
                         {"stream_options", {{"include_usage", true}}}};
    const auto number = [&](const char* name, auto value, auto standard) {
      if (value != standard) body[name] = value;
    };
    number("temperature", p.temperature, defaults_.temperature);
    number("top_p", p.top_p, defaults_.top_p);
    number("top_k", p.top_k, defaults_.top_k);
    number("min_p", p.min_p, defaults_.min_p);
    number("typical_p", p.typical_p, defaults_.typical_p);
    number("repetition_penalty", p.repetition_penalty, defaults_.repetition_penalty);
    number("presence_penalty", p.presence_penalty, defaults_.presence_penalty);
    number("frequency_penalty", p.frequency_penalty, defaults_.frequency_penalty);
    number("max_tokens", p.max_tokens, 0);
    number("ignore_eos", p.ignore_eos, false);
    if (p.seed) body["seed"] = static_cast<int64_t>(*p.seed & INT64_MAX);
    if (!p.stop.empty()) body["stop"] = json::array(p.stop.begin(), p.stop.end());
    return ToJson(body);
  }

  // Server-sent events: "data: {json}" lines.
  bool Take(std::string_view piece, const OnPiece& on_piece) {
    lines_ += piece;
    for (size_t end = lines_.find('\n'); end != std::string::npos; end = lines_.find('\n')) {
      std::string line = lines_.substr(0, end);
      lines_.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      if (!line.starts_with("data: ") || line == "data: [DONE]") continue;
      failure_ = Event(std::string_view(line).substr(6), on_piece);
      if (!failure_.ok()) return false;
    }
    return true;
  }

  Status Event(std::string_view text, const OnPiece& on_piece) {
    PT_ASSIGN(const json::value event, ParseJson(text));
    if (!event.is_object()) return DataLoss("an event is no object");
    const json::object& object = event.get_object();
    if (object.contains("error")) return Unavailable(ErrorText(std::string(text)));
    if (const json::value* usage = object.if_contains("usage");
        usage != nullptr && usage->is_object()) {
      const auto count = [&](const char* name) {
        const json::value* value = usage->get_object().if_contains(name);
        return value != nullptr && value->is_int64() ? static_cast<int32_t>(value->get_int64()) : 0;
      };
      reply_.prompt_tokens = count("prompt_tokens");
      reply_.completion_tokens = count("completion_tokens");
    }
    const json::value* choices = object.if_contains("choices");
    if (choices == nullptr || !choices->is_array() || choices->get_array().empty())
      return Status::Ok();
    const json::value& choice = choices->get_array()[0];
    if (!choice.is_object()) return DataLoss("a choice is no object");
    if (TextOf(choice.get_object().if_contains("finish_reason")) == "length") reply_.cut = true;
    const json::value* delta = choice.get_object().if_contains("delta");
    if (delta == nullptr || !delta->is_object()) return Status::Ok();
    const std::string content = TextOf(delta->get_object().if_contains("content"));
    const std::string reasoning = TextOf(delta->get_object().if_contains("reasoning_content"));
    if (reply_.first_token_seconds == 0 && !(content.empty() && reasoning.empty()))
      reply_.first_token_seconds = Seconds();
    if (!reasoning.empty()) on_piece(reasoning, true);
    if (!content.empty()) on_piece(content, false);
    reply_.content += content;
    return Status::Ok();
  }

  std::string url_, key_, model_;
  runtime::SamplingParams defaults_;
  Clock::time_point begin_;
  ChatReply reply_;    // of the answer under way
  std::string lines_;  // received, not yet a whole line
  Status failure_;
};

}  // namespace

std::unique_ptr<ChatBackend> MakeLocalChat(std::unique_ptr<LocalEngine> engine) {
  return std::make_unique<LocalChat>(std::move(engine));
}

Result<std::unique_ptr<ChatBackend>> ConnectChat(const std::string& url, const std::string& key) {
  std::string base = url;
  while (base.ends_with('/')) base.pop_back();
  if (base.ends_with("/v1")) base.resize(base.size() - 3);
  auto chat = std::make_unique<RemoteChat>(base, key);
  PT_TRY(chat->Connect());
  return Result<std::unique_ptr<ChatBackend>>(std::move(chat));
}

}  // namespace pingti::apps
