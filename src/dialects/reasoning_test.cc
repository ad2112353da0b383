#include "dialects/reasoning.h"

#include <gtest/gtest.h>

namespace pingti::dialects {
namespace {

using Start = ReasoningSplitter::Start;

// The text in pieces of `size` bytes.
ReasoningSplitter::Piece Split(Start start, std::string_view text, size_t size) {
  ReasoningSplitter splitter(start);
  ReasoningSplitter::Piece all;
  const auto add = [&](const ReasoningSplitter::Piece& piece) {
    all.reasoning += piece.reasoning;
    all.text += piece.text;
  };
  for (size_t at = 0; at < text.size(); at += size) add(splitter.Append(text.substr(at, size)));
  add(splitter.Finish());
  return all;
}

struct Case {
  Start start;
  const char* text;
  const char* reasoning;
  const char* answer;
};

TEST(ReasoningSplitter, EveryCutGivesTheSame) {
  const Case cases[] = {
      {Start::kPlain, "<think>a</think>b", "", "<think>a</think>b"},
      {Start::kMayOpen, "<think>\na < b</think>\n\nthe answer", "\na < b", "the answer"},
      {Start::kMayOpen, "  <think>a</think>b", "a", "b"},
      {Start::kMayOpen, "no tag <think>x</think>", "", "no tag <think>x</think>"},
      {Start::kMayOpen, "<thin", "", "<thin"},
      {Start::kMayOpen, "", "", ""},
      {Start::kThinking, "a</think>b</think>", "a", "b</think>"},
      {Start::kThinking, "never closed </thin", "never closed </thin", ""},
      {Start::kThinking, "a</</think>b", "a</", "b"},
      {Start::kThinking, "</think>\n\n", "", ""},
  };
  for (const Case& c : cases) {
    for (size_t size = 1; size <= 40; ++size) {
      const auto piece = Split(c.start, c.text, size);
      EXPECT_EQ(piece.reasoning, c.reasoning) << c.text << " by " << size;
      EXPECT_EQ(piece.text, c.answer) << c.text << " by " << size;
    }
  }
}

TEST(ReasoningSplitter, DeliversWhatIsSureAtOnce) {
  ReasoningSplitter splitter(Start::kThinking);
  EXPECT_EQ(splitter.Append("hello <").reasoning, "hello ");
  EXPECT_EQ(splitter.Append("b").reasoning, "<b");
  EXPECT_TRUE(splitter.thinking());
  EXPECT_EQ(splitter.Append("</think>x").text, "x");
  EXPECT_FALSE(splitter.thinking());
}

TEST(EndsInsideThinking, OnlyAtTheEnd) {
  EXPECT_TRUE(EndsInsideThinking("<|Assistant|><think>\n"));
  EXPECT_FALSE(EndsInsideThinking("<think></think>\n\n"));
  EXPECT_FALSE(EndsInsideThinking(""));
}

}  // namespace
}  // namespace pingti::dialects
