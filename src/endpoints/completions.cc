// POST /v1/completions
#include "endpoints/generation.h"
#include "protocol/answers.h"

namespace pingti::endpoints {

namespace {

using protocol::CompletionRequest;
using protocol::Delta;
using protocol::FinishReason;
using protocol::TokenForm;

struct Choice {
  std::string text;
  std::vector<protocol::TokenInfo> tokens;
  FinishReason finish = FinishReason::kNone;
  std::string stop_text;
  int64_t offset = 0;      // bytes of text before the next token, for logprobs
};

class CompletionAnswer final : public Generation {
 public:
  // `echoes`: the prompts' texts where they are to be repeated, else empty.
  CompletionAnswer(Call call, const CompletionRequest& request, std::string model, std::vector<std::string> echoes)
      : Generation(std::move(call), request.stream, std::move(model)),
        n_(static_cast<size_t>(request.options.choices.n)),
        logprobs_(request.logprobs),
        form_(request.tokens_as_ids ? TokenForm::kId : TokenForm::kText),
        echoes_(std::move(echoes)),
        choices_(request.prompts.size() * n_),
        prompt_logprobs_(request.prompts.size()),
        echo_tokens_(request.prompts.size()) {
    show_prompt_logprobs_ = request.options.sampling.prompt_logprobs >= 0 && !(request.echo && request.logprobs);
    json::object head;
    head["id"] = Id();
    head["object"] = "text_completion";
    head["created"] = created();
    head["model"] = this->model();
    head["system_fingerprint"] = SystemFingerprint();
    chunk_head_ = "data: " + ToJson(head);
    chunk_head_.pop_back();  // the closing brace
    chunk_tail_ = stream_options().include_usage ? ",\"usage\":null}\n\n" : "}\n\n";
  }

 private:
  std::string Id() const { return "cmpl-" + call().exchange->request_id(); }

  std::string Chunk(size_t index, const std::string& text, const std::string& logprobs, FinishReason finish,
                    const std::string& stop_text) const {
    std::string out;
    out.reserve(chunk_head_.size() + text.size() + logprobs.size() + 128);
    out += chunk_head_;
    out += ",\"choices\":[{\"index\":";
    out += std::to_string(index);
    out += ",\"text\":";
    out += ToJson(json::value(text));
    out += ",\"logprobs\":";
    out += logprobs;
    out += ",\"finish_reason\":";
    out += finish == FinishReason::kNone ? "null" : ToJson(protocol::FinishReasonJson(finish));
    if (!stop_text.empty()) out += ",\"stop_reason\":" + ToJson(json::value(stop_text));
    out += "}]";
    out += chunk_tail_;
    return out;
  }

  std::string StreamStart() override {
    std::string out;
    if (echoes_.empty()) return out;
    for (size_t i = 0; i < choices_.size(); ++i) out += Chunk(i, echoes_[i / n_], "null", FinishReason::kNone, "");
    return out;
  }

  void OnDelta(size_t prompt, Delta delta) override {
    if (static_cast<size_t>(delta.choice) >= n_) return;
    const size_t index = prompt * n_ + static_cast<size_t>(delta.choice);
    Choice& choice = choices_[index];
    // This endpoint knows no reasoning: it is text like the rest.
    std::string text = std::move(delta.reasoning) + delta.text;
    if (streaming()) {
      if (text.empty() && delta.tokens.empty() && delta.finish == FinishReason::kNone) return;
      std::string logprobs = "null";
      if (logprobs_ && !delta.tokens.empty()) {
        logprobs = ToJson(protocol::CompletionLogprobs(delta.tokens, form_, choice.offset, false));
        for (const auto& token : delta.tokens) choice.offset += static_cast<int64_t>(token.chosen.bytes.size());
      }
      return Send(Chunk(index, text, logprobs, delta.finish, delta.stop_text));
    }
    choice.text += text;
    for (auto& token : delta.tokens) choice.tokens.push_back(std::move(token));
    if (delta.finish == FinishReason::kNone) return;
    choice.finish = delta.finish;
    choice.stop_text = std::move(delta.stop_text);
  }

  void OnPromptFinished(size_t prompt, const protocol::Finished& finished) override {
    seed_ = finished.seed;
    if (finished.prompt.empty()) return;
    if (show_prompt_logprobs_) {
      prompt_logprobs_[prompt] = protocol::PromptLogprobs(finished.prompt);
    } else {
      echo_tokens_[prompt] = finished.prompt;
    }
  }

  std::string StreamEnd() override {
    if (!stream_options().include_usage) return {};
    return chunk_head_ + ",\"choices\":[],\"seed\":" + std::to_string(seed_) +
           ",\"usage\":" + ToJson(protocol::UsageJson(usage())) + "}\n\n";
  }

  json::value LogprobsOf(size_t index) {
    if (!logprobs_) return nullptr;
    std::vector<protocol::TokenInfo> tokens = echo_tokens_[index / n_];
    const bool with_prompt = !tokens.empty();
    tokens.insert(tokens.end(), choices_[index].tokens.begin(), choices_[index].tokens.end());
    return protocol::CompletionLogprobs(tokens, form_, 0, with_prompt);
  }

  json::object Body() override {
    json::array choices;
    for (size_t i = 0; i < choices_.size(); ++i) {
      Choice& choice = choices_[i];
      json::object entry;
      entry["index"] = i;
      entry["text"] = (echoes_.empty() ? "" : echoes_[i / n_]) + choice.text;
      entry["logprobs"] = LogprobsOf(i);
      entry["finish_reason"] = protocol::FinishReasonJson(choice.finish);
      if (!choice.stop_text.empty()) entry["stop_reason"] = choice.stop_text;
      if (show_prompt_logprobs_) entry["prompt_logprobs"] = prompt_logprobs_[i / n_];
      choices.push_back(std::move(entry));
    }
    json::object body;
    body["id"] = Id();
    body["object"] = "text_completion";
    body["created"] = created();
    body["model"] = model();
    body["system_fingerprint"] = SystemFingerprint();
    body["choices"] = std::move(choices);
    body["usage"] = protocol::UsageJson(usage());
    body["seed"] = seed_;
    return body;
  }

  size_t n_;
  bool logprobs_;
  bool show_prompt_logprobs_ = false;
  TokenForm form_;
  std::vector<std::string> echoes_;                        // [prompts] or none
  std::vector<Choice> choices_;                            // [prompts * n]
  std::vector<json::array> prompt_logprobs_;               // [prompts]
  std::vector<std::vector<protocol::TokenInfo>> echo_tokens_;  // [prompts]
  std::string chunk_head_;
  std::string chunk_tail_;
  uint64_t seed_ = 0;
};

Result<std::vector<std::string>> EchoTexts(protocol::Backend& backend, const CompletionRequest& request) {
  std::vector<std::string> texts;
  if (!request.echo) return texts;
  for (const protocol::Prompt& prompt : request.prompts) {
    if (const auto* text = std::get_if<std::string>(&prompt)) {
      texts.push_back(*text);
      continue;
    }
    PT_ASSIGN(std::string text, backend.Detokenize(std::get<std::vector<int32_t>>(prompt), request.options.model));
    texts.push_back(std::move(text));
  }
  return texts;
}

void HandleCompletion(Call call) {
  Context& context = *call.context;
  auto request = protocol::ParseCompletionRequest(call.request().body, context.limits);
  if (!request.ok()) return RespondError(*call.exchange, request.status());
  auto echoes = EchoTexts(context.backend, *request);
  if (!echoes.ok()) return RespondError(*call.exchange, echoes.status());
  request->options.caller = call.caller;
  std::string model = request->options.model;
  if (model.empty()) model = context.backend.Models().front().id;
  auto answer =
      std::make_shared<CompletionAnswer>(std::move(call), *request, std::move(model), std::move(echoes).value());
  answer->Begin(request->prompts.size(), [&](size_t prompt, protocol::Listener listener) {
    return context.backend.StartCompletion(std::move(request->prompts[prompt]), request->options, std::move(listener));
  });
}

PINGTI_REGISTER_ROUTE("POST", "/v1/completions", HandleCompletion, .weight = Weight::kHeavy, .scope = "completions");

}  // namespace

}  // namespace pingti::endpoints
