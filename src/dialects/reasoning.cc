#include "dialects/reasoning.h"

#include <algorithm>

namespace pingti::dialects {

namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr std::string_view kSpace = " \t\r\n";

// Bytes at the end of `text` that may be the beginning of `tag`.
size_t PartialTag(std::string_view text, std::string_view tag) {
  for (size_t size = std::min(text.size(), tag.size() - 1); size > 0; --size) {
    if (text.ends_with(tag.substr(0, size))) return size;
  }
  return 0;
}

}  // namespace

ReasoningSplitter::ReasoningSplitter(Start start)
    : state_(start == Start::kPlain      ? State::kAnswer
             : start == Start::kThinking ? State::kThinking
                                         : State::kDeciding) {}

ReasoningSplitter::Piece ReasoningSplitter::Append(std::string_view text) {
  Piece piece;
  if (state_ == State::kAnswer) {
    piece.text = text;
    return piece;
  }
  held_ += text;
  State before;
  do {
    before = state_;
    Step(piece);
  } while (state_ != before);
  return piece;
}

void ReasoningSplitter::Step(Piece& piece) {
  switch (state_) {
    case State::kDeciding: {
      const size_t begin = std::min(held_.find_first_not_of(kSpace), held_.size());
      const std::string_view rest = std::string_view(held_).substr(begin);
      if (rest.starts_with(kOpen)) {
        held_.erase(0, begin + kOpen.size());
        state_ = State::kThinking;
      } else if (!kOpen.starts_with(rest)) {
        state_ = State::kAnswer;
      }
      return;
    }
    case State::kThinking: {
      const size_t close = held_.find(kClose);
      if (close != std::string::npos) {
        piece.reasoning += held_.substr(0, close);
        held_.erase(0, close + kClose.size());
        state_ = State::kAfterThinking;
        return;
      }
      const size_t sure = held_.size() - PartialTag(held_, kClose);
      piece.reasoning += held_.substr(0, sure);
      held_.erase(0, sure);
      return;
    }
    case State::kAfterThinking:
      // The line breaks between the tag and the answer belong to neither.
      held_.erase(0, std::min(held_.find_first_not_of(kSpace), held_.size()));
      if (!held_.empty()) state_ = State::kAnswer;
      return;
    case State::kAnswer:
      piece.text += held_;
      held_.clear();
      return;
  }
}

ReasoningSplitter::Piece ReasoningSplitter::Finish() {
  Piece piece;
  (state_ == State::kThinking ? piece.reasoning : piece.text) = std::move(held_);
  held_.clear();
  return piece;
}

bool EndsInsideThinking(std::string_view prompt) {
  const size_t end = prompt.find_last_not_of(kSpace);
  return end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(kOpen);
}

}  // namespace pingti::dialects
