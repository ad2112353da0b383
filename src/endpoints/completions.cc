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
  CompletionAnswer(Call call, const CompletionRequest& request, std::vector<std::string> echoes)
      : Generation(std::move(call), request.stream, request.options.model,
                   {.id_prefix = "cmpl-", .object = "text_completion", .chunk_object = "text_completion"}),
        n_(static_cast<size_t>(request.options.choices.n)),
        logprobs_(request.logprobs),
        form_(request.tokens_as_ids ? TokenForm::kId : TokenForm::kText),
        echoes_(std::move(echoes)),
        choices_(request.prompts.size() * n_),
        prompt_logprobs_(request.prompts.size()),
        echo_tokens_(request.prompts.size()) {
    show_prompt_logprobs_ = request.options.sampling.prompt_logprobs >= 0 && !(request.echo && request.logprobs);
  }

 private:
  static std::string TextField(const std::string& text) { return "\"text\":" + ToJson(json::value(text)); }

  std::string StreamStart() override {
    std::string out;
    if (echoes_.empty()) return out;
    for (size_t i = 0; i < choices_.size(); ++i) out += Chunk(i, TextField(echoes_[i / n_]), "null");
    return out;
  }

  void OnDelta(size_t prompt, Delta delta) override {
    if (static_cast<size_t>(delta.choice) >= n_) return;
    const size_t index = prompt * n_ + static_cast<size_t>(delta.choice);
    Choice& choice = choices_[index];
    const std::string& text = delta.text;
    if (streaming()) {
      if (text.empty() && delta.tokens.empty() && delta.finish == FinishReason::kNone) return;
      std::string logprobs = "null";
      if (logprobs_ && !delta.tokens.empty()) {
        logprobs = ToJson(protocol::CompletionLogprobs(delta.tokens, form_, choice.offset, false));
        for (const auto& token : delta.tokens) choice.offset += static_cast<int64_t>(token.chosen.bytes.size());
      }
      return Send(Chunk(index, TextField(text), logprobs, delta.finish, delta.stop_text));
    }
    choice.text += text;
    for (auto& token : delta.tokens) choice.tokens.push_back(std::move(token));
    if (delta.finish == FinishReason::kNone) return;
    choice.finish = delta.finish;
    choice.stop_text = std::move(delta.stop_text);
  }

  void OnPromptFinished(size_t prompt, const protocol::Finished& finished) override {
    if (finished.prompt.empty()) return;
    if (show_prompt_logprobs_) {
      prompt_logprobs_[prompt] = protocol::PromptLogprobs(finished.prompt);
    } else {
      echo_tokens_[prompt] = finished.prompt;
    }
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
    return BodyOf(std::move(choices));
  }

  size_t n_;
  bool logprobs_;
  bool show_prompt_logprobs_ = false;
  TokenForm form_;
  std::vector<std::string> echoes_;                        // [prompts] or none
  std::vector<Choice> choices_;                            // [prompts * n]
  std::vector<json::array> prompt_logprobs_;               // [prompts]
  std::vector<std::vector<protocol::TokenInfo>> echo_tokens_;  // [prompts]
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
  auto answer = std::make_shared<CompletionAnswer>(std::move(call), *request, std::move(echoes).value());
  answer->Begin(request->prompts.size(), [&](size_t prompt, protocol::Listener listener) {
    return context.backend.StartCompletion(std::move(request->prompts[prompt]), request->options, std::move(listener));
  });
}

PINGTI_REGISTER_ROUTE("POST", "/v1/completions", HandleCompletion, .weight = Weight::kHeavy, .scope = "completions");

}  // namespace

}  // namespace pingti::endpoints
