// ReasoningSplitter: parts what a model thinks (between <think> and </think>) from what it answers, while the text
// streams in. Tags may be cut anywhere between pieces; no byte is lost, and none is delivered that may still turn out to
// be a tag. One per answer, not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pingti::dialects {

class ReasoningSplitter final {
 public:
  enum class Start : uint8_t {
    kPlain,     // the model knows no such tags: all is answer
    kMayOpen,   // thinking begins where the answer begins with <think>
    kThinking,  // the prompt has opened the tag already
  };
  explicit ReasoningSplitter(Start start);

  struct Piece {
    std::string reasoning;
    std::string text;
  };
  Piece Append(std::string_view text);
  // What was held back.
  Piece Finish();
  bool thinking() const { return state_ == State::kThinking; }

 private:
  enum class State : uint8_t { kDeciding, kThinking, kAfterThinking, kAnswer };

  void Step(Piece& piece);

  State state_;
  std::string held_;
};

// Whether `prompt` ends inside an opened <think>.
bool EndsInsideThinking(std::string_view prompt);

}  // namespace pingti::dialects
