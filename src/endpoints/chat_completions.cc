// POST /v1/chat/completions
#include "endpoints/generation.h"
#include "protocol/answers.h"

namespace pingti::endpoints {

namespace {

using protocol::ChatRequest;
using protocol::Delta;
using protocol::FinishReason;
using protocol::TokenForm;

struct Choice {
  std::string text;
  std::string reasoning;
  std::vector<protocol::TokenInfo> tokens;
  FinishReason finish = FinishReason::kNone;
  std::string stop_text;
};

class ChatAnswer final : public Generation {
 public:
  ChatAnswer(Call call, const ChatRequest& request)
      : Generation(std::move(call), request.stream, request.options.model,
                   {.id_prefix = "chatcmpl-", .object = "chat.completion", .chunk_object = "chat.completion.chunk"}),
        logprobs_(request.logprobs),
        form_(request.tokens_as_ids ? TokenForm::kId : TokenForm::kText),
        choices_(static_cast<size_t>(request.options.choices.n)) {
    if (request.echo) echo_ = LastAssistantText(request.input.messages);
  }

 private:
  static std::string LastAssistantText(const json::array& messages) {
    const json::object& last = messages.back().as_object();
    const json::value* content = last.if_contains("content");
    if (*last.if_contains("role") != "assistant" || content == nullptr || !content->is_string()) return {};
    return std::string(content->get_string());
  }

  std::string StreamStart() override {
    const std::string delta = "\"delta\":{\"role\":\"assistant\",\"content\":" + ToJson(json::value(echo_)) + "}";
    std::string out;
    for (size_t i = 0; i < choices_.size(); ++i) out += Chunk(i, delta, "null");
    return out;
  }

  void OnDelta(size_t, Delta delta) override {
    const auto index = static_cast<size_t>(delta.choice);
    if (index >= choices_.size()) return;
    if (!streaming()) return Collect(choices_[index], std::move(delta));
    const std::string logprobs =
        logprobs_ && !delta.tokens.empty() ? ToJson(protocol::ChatLogprobs(delta.tokens, form_)) : "null";
    std::string fields;
    if (!delta.reasoning.empty()) fields += "\"reasoning_content\":" + ToJson(json::value(delta.reasoning));
    if (!delta.text.empty() || (fields.empty() && logprobs != "null")) {
      if (!fields.empty()) fields += ',';
      fields += "\"content\":" + ToJson(json::value(delta.text));
    }
    std::string out;
    if (!fields.empty()) out = Chunk(index, "\"delta\":{" + fields + "}", logprobs);
    if (delta.finish != FinishReason::kNone) out += Chunk(index, "\"delta\":{}", "null", delta.finish, delta.stop_text);
    if (!out.empty()) Send(std::move(out));
  }

  static void Collect(Choice& choice, Delta delta) {
    choice.text += delta.text;
    choice.reasoning += delta.reasoning;
    for (auto& token : delta.tokens) choice.tokens.push_back(std::move(token));
    if (delta.finish == FinishReason::kNone) return;
    choice.finish = delta.finish;
    choice.stop_text = std::move(delta.stop_text);
  }

  void OnPromptFinished(size_t, const protocol::Finished& finished) override {
    if (!finished.prompt.empty()) prompt_logprobs_ = protocol::PromptLogprobs(finished.prompt);
  }

  json::object Body() override {
    json::array choices;
    for (size_t i = 0; i < choices_.size(); ++i) {
      Choice& choice = choices_[i];
      json::object message;
      message["role"] = "assistant";
      message["content"] = echo_ + choice.text;
      message["refusal"] = nullptr;
      if (!choice.reasoning.empty()) message["reasoning_content"] = std::move(choice.reasoning);
      json::object entry;
      entry["index"] = i;
      entry["message"] = std::move(message);
      entry["logprobs"] = logprobs_ ? json::value(protocol::ChatLogprobs(choice.tokens, form_)) : json::value(nullptr);
      entry["finish_reason"] = protocol::FinishReasonJson(choice.finish);
      if (!choice.stop_text.empty()) entry["stop_reason"] = choice.stop_text;
      choices.push_back(std::move(entry));
    }
    json::object body = BodyOf(std::move(choices));
    if (!prompt_logprobs_.empty()) body["prompt_logprobs"] = std::move(prompt_logprobs_);
    return body;
  }

  bool logprobs_;
  TokenForm form_;
  std::vector<Choice> choices_;
  std::string echo_;
  json::array prompt_logprobs_;
};

void HandleChat(Call call) {
  Context& context = *call.context;
  auto request = protocol::ParseChatRequest(call.request().body, context.limits);
  if (!request.ok()) return RespondError(*call.exchange, request.status());
  request->options.caller = call.caller;
  auto answer = std::make_shared<ChatAnswer>(std::move(call), *request);
  answer->Begin(1, [&](size_t, protocol::Listener listener) {
    return context.backend.StartChat(std::move(request->input), std::move(request->options), std::move(listener));
  });
}

PINGTI_REGISTER_ROUTE("POST", "/v1/chat/completions", HandleChat, .weight = Weight::kHeavy, .scope = "chat");

}  // namespace

}  // namespace pingti::endpoints
