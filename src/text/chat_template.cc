#include "text/chat_template.h"

#include <pingti_rs.h>

#include <chrono>
#include <utility>

#include "text/user_marks.h"

namespace pingti::text {
namespace {

// A prompt of 100,000 tokens has about 400 KB and takes a few thousand instructions for each
// thousand messages.
constexpr uint64_t kInstructionsMax = 5'000'000;
constexpr size_t kOutputBytesMax = 16 << 20;

std::string Take(pt_string string) {
  std::string text(string.data, string.size);
  pt_string_free(string);
  return text;
}

Status FromRust(pt_code code, pt_string error) {
  std::string message = Take(error);
  switch (code) {
    case PT_RAISED:
      return InvalidArgument(std::move(message), "messages");
    case PT_LIMIT:
      return ResourceExhausted("the chat template: " + message);
    case PT_PANIC:
      return Internal("the chat template: " + message);
    default:
      return InvalidArgument("the chat template: " + message);
  }
}

}  // namespace

struct ChatTemplate::State {
  struct Free {
    void operator()(pt_template* owned) const { pt_template_free(owned); }
  };
  std::string source_text;
  std::string bos;
  std::string eos;
  std::unique_ptr<pt_template, Free> compiled;
  std::unique_ptr<UserMarks> marks;

  // The variables that transformers gives to a template; absent ones are None.
  json::object Variables(const ChatInput& input) const {
    json::object variables;
    variables["tools"] = nullptr;
    variables["documents"] = nullptr;
    for (const auto& [key, value] : input.extra) variables[key] = value;
    variables["messages"] = input.messages;
    if (!input.tools.empty()) variables["tools"] = input.tools;
    return variables;
  }

  // What is ours and not the user's: never marked.
  void AddOwn(const ChatInput& input, json::object& variables) const {
    variables["add_generation_prompt"] = input.add_generation_prompt;
    variables["bos_token"] = bos;
    variables["eos_token"] = eos;
  }

  Result<std::string> RenderOnce(const ChatInput& input, json::object variables,
                                 int64_t now) const {
    AddOwn(input, variables);
    const std::string serialized = ToJson(variables);
    pt_string text{}, error{};
    const pt_template_limits limits{.instructions_max = kInstructionsMax,
                                    .output_bytes_max = kOutputBytesMax};
    const pt_code code = pt_template_render(compiled.get(), serialized.data(), serialized.size(),
                                            now, limits, &text, &error);
    if (code != PT_OK) return FromRust(code, error);
    return Take(text);
  }
};

std::vector<std::string> ControlTexts(const Tokenizer& tokenizer) {
  std::vector<std::string> texts;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.IsControl(id)) texts.push_back(tokenizer.spec().tokens[static_cast<size_t>(id)]);
  }
  return texts;
}

ChatTemplate::ChatTemplate(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChatTemplate::~ChatTemplate() = default;

const std::string& ChatTemplate::source() const { return state_->source_text; }

Result<std::shared_ptr<const ChatTemplate>> ChatTemplate::Compile(
    std::string source, std::string bos, std::string eos, std::vector<std::string> control) {
  pt_template* compiled = nullptr;
  pt_string error{};
  const pt_code code = pt_template_compile(source.data(), source.size(), &compiled, &error);
  if (code != PT_OK) return FromRust(code, error);
  auto state = std::make_unique<State>();
  state->compiled.reset(compiled);
  PT_ASSIGN(const json::value parsed, ParseJson(Take(pt_template_literals(compiled))));
  std::vector<std::string> literals;
  for (const json::value& literal : parsed.as_array()) literals.emplace_back(literal.as_string());
  // Their texts structure the prompt even where the file does not say that they are control tokens.
  for (const std::string& text : {bos, eos}) control.push_back(text);
  state->marks = std::make_unique<UserMarks>(source, std::move(literals), std::move(control));
  state->source_text = std::move(source);
  state->bos = std::move(bos);
  state->eos = std::move(eos);
  return std::shared_ptr<const ChatTemplate>(new ChatTemplate(std::move(state)));
}

Result<RenderedPrompt> ChatTemplate::Render(const ChatInput& input) const {
  const int64_t now =
      input.now_seconds.value_or(std::chrono::duration_cast<std::chrono::seconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
  const json::object variables = state_->Variables(input);
  PT_ASSIGN(std::string plain, state_->RenderOnce(input, variables, now));
  const char32_t base = UserMarks::ChooseBase(plain);
  if (base == 0)
    return InvalidArgument("the messages use both private planes of Unicode", "messages");
  std::string all_marked;
  for (const UserMarks::Extent extent : {UserMarks::Extent::kAll, UserMarks::Extent::kControl}) {
    json::value marked_variables = state_->marks->Mark(variables, {.extent = extent, .base = base});
    Result<std::string> marked =
        state_->RenderOnce(input, std::move(marked_variables.as_object()), now);
    if (!marked.ok()) continue;  // a template that refuses the marks; the next extent has fewer
    if (extent == UserMarks::Extent::kAll) all_marked = *marked;
    auto untrusted = UserMarks::Compare(plain, *marked, base);
    if (!untrusted) continue;
    // With few marks a template could build a control token out of parts that had none (lower,
    // replace). Where all is marked it cannot, so that the tokens there are its own: there must not
    // be more now.
    if (extent == UserMarks::Extent::kControl && state_->marks->HasMoreControl(*marked, all_marked))
      break;
    return RenderedPrompt{.text = std::move(plain), .untrusted = *std::move(untrusted)};
  }
  return InvalidArgument(
      "the chat template acts on control tokens in the messages, so that they cannot be told from "
      "its own",
      "messages");
}

}  // namespace pingti::text
