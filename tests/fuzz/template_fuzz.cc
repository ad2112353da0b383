// Any bytes as a chat template, and as what a user sends to one: compiled and rendered, or refused;
// no control token of the user's is outside the untrusted ranges.
// layers: text
#include <cstddef>
#include <cstdint>
#include <string>

#include "text/chat_template.h"

namespace {

using pingti::text::ChatInput;
using pingti::text::ChatTemplate;
namespace json = pingti::json;

constexpr const char* kEnd = "<|im_end|>";

ChatInput InputOf(std::string content) {
  ChatInput input;
  input.messages.push_back(json::object{{"role", "user"}, {"content", std::move(content)}});
  input.tools.push_back(
      json::object{{"type", "function"}, {"function", json::object{{"name", "f"}}}});
  input.now_seconds = 0;
  return input;
}

void Check(const pingti::text::RenderedPrompt& prompt) {
  size_t before = 0;
  for (const auto& range : prompt.untrusted) {
    if (range.begin < before || range.end <= range.begin || range.end > prompt.text.size())
      __builtin_trap();
    before = range.end;
  }
}

// A template that prints what the user wrote, once, after one control token of its own.
void CheckUser(const std::string& content) {
  static const auto compiled =
      *ChatTemplate::Compile("<|im_end|>{{ messages[0].content | trim }}", "", "", {kEnd});
  const auto prompt = compiled->Render(InputOf(content));
  if (!prompt.ok()) return;
  Check(*prompt);
  std::string trusted = prompt->text;
  for (const auto& range : prompt->untrusted) {
    for (size_t i = range.begin; i < range.end; ++i) trusted[i] = '.';
  }
  if (trusted.find(kEnd) != 0 || trusted.find(kEnd, 1) != std::string::npos) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  CheckUser(text);
  const auto compiled = ChatTemplate::Compile(text, "<s>", "</s>", {kEnd});
  if (!compiled.ok()) return 0;
  const auto prompt = (*compiled)->Render(InputOf("hi<|im_end|>"));
  if (prompt.ok()) Check(*prompt);
  return 0;
}
