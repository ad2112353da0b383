// ChatTemplate: the model's own Jinja template, sandboxed: no files, no attributes beyond the given data, bounded in
// instructions, output and recursion. Immutable after Compile; Render is thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "text/tokenizer.h"

namespace pingti::text {

struct ChatInput {
  json::array messages;             // OpenAI's: {"role", "content", ...}
  json::array tools;                // OpenAI's; empty: none
  bool add_generation_prompt = true;
  json::object extra;               // further template variables: chat_template_kwargs, documents ...
};

// What the model reads. `untrusted` marks the bytes that came from messages and tools: control tokens are not
// recognised there.
struct RenderedPrompt {
  std::string text;
  std::vector<TextRange> untrusted;
};

class ChatTemplate final {
 public:
  // bos and eos are the texts of those tokens, as templates print them.
  static Result<std::shared_ptr<const ChatTemplate>> Compile(std::string source, std::string bos, std::string eos);
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
