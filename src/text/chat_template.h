// ChatTemplate: the model's own Jinja template, sandboxed: no files, no attributes beyond the given
// data, bounded in instructions, memory, output and recursion. Immutable after Compile; Render is
// thread-safe.
//
// Trust. A control token that a user typed must stay text, so Render tells which bytes came from
// the user. The template is rendered twice: as it is, and with the characters of all user strings
// (keys and values of messages, tools and extra) replaced by private-use characters, one for one.
// White space, quotes, backslashes and digits stay, so that trim, split and tojson act alike; so do
// short words that the template compares with (role, type ...) and what a user string shares with
// a string literal of the template ("</think>"), unless a control token is in it. Mapped back, the
// second text must equal the first; then each private-use character is a byte of the user's. If
// they differ (a template that upper-cases, say), only what could be part of a control token is
// replaced, and if that differs too, Render refuses: the template acts on control tokens in what
// users write. The text is always that of the plain rendering.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "text/tokenizer.h"

namespace pingti::text {

struct ChatInput {
  json::array messages;  // OpenAI's: {"role", "content", ...}
  json::array tools;     // OpenAI's; empty: none
  bool add_generation_prompt = true;
  json::object extra;  // further template variables: chat_template_kwargs, documents ...
  std::optional<int64_t> now_seconds;  // Unix time for strftime_now; none: the clock
};

// What the model reads. `untrusted` marks the bytes that came from messages and tools: control
// tokens are not recognised there.
struct RenderedPrompt {
  std::string text;
  std::vector<TextRange> untrusted;
};

// The texts of the tokens that end or structure a prompt.
std::vector<std::string> ControlTexts(const Tokenizer& tokenizer);

class ChatTemplate final {
 public:
  // bos and eos are the texts of those tokens, as templates print them; `control` the texts of all
  // control tokens (ControlTexts), on which the marking of untrusted bytes depends.
  static Result<std::shared_ptr<const ChatTemplate>> Compile(std::string source, std::string bos,
                                                             std::string eos,
                                                             std::vector<std::string> control = {});
  ~ChatTemplate();

  // An error carries the template's own raise_exception message, or line and reason.
  Result<RenderedPrompt> Render(const ChatInput& input) const;
  const std::string& source() const;

 private:
  struct State;
  explicit ChatTemplate(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pingti::text
