#include "runtime/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

namespace pingti::runtime {
namespace {

struct Outcome {
  std::string text;
  std::string stop;
};

// Feeds `text` in pieces that end at `cuts`.
Outcome Feed(const std::vector<std::string>& stops, const std::vector<std::string>& pieces,
             bool include) {
  StopMatcher matcher(stops, include);
  Outcome outcome;
  for (const std::string& piece : pieces) {
    StopMatcher::Found found = matcher.Append(piece);
    outcome.text += found.text;
    if (!found.stopped) continue;
    outcome.stop = found.stop_text;
    return outcome;
  }
  outcome.text += matcher.Flush();
  return outcome;
}

TEST(StopMatcher, HoldsBackOnlyWhatMayBecomeAStop) {
  const std::vector<std::string> stops = {"END", "\n\n"};
  StopMatcher matcher(stops, false);
  EXPECT_EQ(matcher.Append("the E").text, "the ");
  EXPECT_EQ(matcher.Append("N").text, "");
  EXPECT_EQ(matcher.Append("T\n").text, "ENT");
  EXPECT_EQ(matcher.Append("x").text, "\nx");
  EXPECT_EQ(matcher.Flush(), "");
}

TEST(StopMatcher, TheFirstCompleteStopWinsAndOfThoseTheLongest) {
  EXPECT_EQ(Feed({"cd", "bcd", "bc"}, {"abcde"}, false).stop, "bc");
  EXPECT_EQ(Feed({"cd", "bcd", "d"}, {"abcde"}, false).stop, "bcd");
  EXPECT_EQ(Feed({"cd", "bcd"}, {"abcde"}, true).text, "abcd");
}

TEST(StopMatcher, SelfOverlappingStops) {
  EXPECT_EQ(Feed({"aab"}, {"a", "a", "a", "b", "x"}, false).text, "a");
  EXPECT_EQ(Feed({"abab"}, {"ab", "a", "c"}, false).text, "abac");
}

TEST(StopMatcher, CutsDoNotMatter) {
  std::mt19937 random(11);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> stops;
    for (unsigned i = 0; i < 1 + random() % 3; ++i) {
      std::string stop;
      for (unsigned j = 0; j < 1 + random() % 4; ++j) stop += static_cast<char>('a' + random() % 2);
      stops.push_back(stop);
    }
    std::string text;
    for (unsigned i = 0; i < random() % 20; ++i) text += static_cast<char>('a' + random() % 3);
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      const size_t length = 1 + random() % 4;
      pieces.push_back(text.substr(at, length));
      at += length;
    }
    const auto whole = Feed(stops, {text}, false);
    const auto in_pieces = Feed(stops, pieces, false);
    EXPECT_EQ(in_pieces.text, whole.text) << text;
    EXPECT_EQ(in_pieces.stop, whole.stop) << text;
    for (const std::string& stop : stops) EXPECT_EQ(whole.text.find(stop), std::string::npos);
  }
}

}  // namespace
}  // namespace pingti::runtime
