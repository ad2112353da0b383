// i18n, progress and log: what people read.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/i18n.h"
#include "base/log.h"
#include "base/progress.h"

namespace pingti {
namespace {

class EnvironmentTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : kNames) unsetenv(name);
  }
  void TearDown() override {
    SetUp();
    SetLanguage(Language::kEnglish);
  }
  static constexpr const char* kNames[] = {"PINGTI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};
};

TEST_F(EnvironmentTest, LanguageByLocale) {
  EXPECT_EQ(LanguageOfEnvironment(), Language::kEnglish);
  setenv("LANG", "zh_CN.UTF-8", 1);
  EXPECT_EQ(LanguageOfEnvironment(), Language::kChinese);
  setenv("LC_ALL", "C.UTF-8", 1);
  EXPECT_EQ(LanguageOfEnvironment(), Language::kEnglish);
  setenv("PINGTI_LANG", "zh", 1);
  EXPECT_EQ(LanguageOfEnvironment(), Language::kChinese);
  setenv("PINGTI_LANG", "", 1);
  EXPECT_EQ(LanguageOfEnvironment(), Language::kEnglish);
}

TEST_F(EnvironmentTest, TrFormat) {
  SetLanguage(Language::kChinese);
  EXPECT_EQ(TrFormat("{} of {}", "{}，共 {}", 1, 2), "1，共 2");
  SetLanguage(Language::kEnglish);
  EXPECT_EQ(TrFormat("{} of {}", "{}，共 {}", 1, 2), "1 of 2");
}

TEST(DisplayWidth, CellsOfText) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("平替 ok"), 7);
  EXPECT_EQ(DisplayWidth("e\xCC\x81"), 1);         // combining acute
  EXPECT_EQ(DisplayWidth("\xF0\x9F\x98\x80"), 2);  // emoji
  EXPECT_EQ(DisplayWidth("\xFF\xE4"), 2);          // no UTF-8: a cell each
  EXPECT_EQ(DisplayWidth("é，"), 3);
}

TEST(ProgressTest, BarOnATerminal) {
  SetLanguage(Language::kEnglish);
  std::string out;
  int64_t now = 0;
  Progress progress({.title = "Loading",
                     .write = [&](const std::string& t) { out += t; },
                     .now_ms = [&] { return now; },
                     .terminal_width = 100});
  progress.Update(0, 100'000'000);
  now = 1000;
  progress.Update(25'000'000, 100'000'000);
  EXPECT_NE(out.find("[######------------------]  25%  25.0 MB / 100 MB  25.0 MB/s  3.0 s left"),
            std::string::npos)
      << out;
  now = 1010;
  const std::string before = out;
  progress.Update(26'000'000, 100'000'000);
  EXPECT_EQ(out, before) << "drawn at most ten times a second";
  now = 4000;
  progress.Update(100'000'000, 100'000'000);
  progress.Finish();
  EXPECT_TRUE(out.ends_with("Loading  100 MB / 100 MB  4.0 s  (25.0 MB/s)\x1b[K\n")) << out;
}

TEST(ProgressTest, SparseLinesWithoutOneAndResumedBytesDoNotCount) {
  SetLanguage(Language::kEnglish);
  std::string out;
  int64_t now = 0;
  Progress progress({.title = "Get",
                     .write = [&](const std::string& t) { out += t; },
                     .now_ms = [&] { return now; },
                     .terminal_width = 0});
  progress.Update(50'000'000, 100'000'000);
  now = 1000;
  progress.Update(55'000'000, 100'000'000);
  EXPECT_EQ(out, "");
  now = 6000;
  progress.Update(80'000'000, 100'000'000);
  EXPECT_EQ(out, "Get  80%  80.0 MB / 100 MB  5.0 MB/s  4.0 s left\n");
}

TEST(ProgressTest, UnitsAreReadable) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(1000), "1.0 kB");
  EXPECT_EQ(FormatBytes(999'999), "1.0 MB");
  EXPECT_EQ(FormatBytes(123'456'789), "123 MB");
  EXPECT_EQ(FormatSeconds(3.14), "3.1 s");
  EXPECT_EQ(FormatSeconds(59.6), "1 min 0 s");
  EXPECT_EQ(FormatSeconds(7260), "2 h 1 min");
}

TEST(LogTest, Lines) {
  EXPECT_EQ(FormatLogLine(LogForm::kText, LogLevel::kInfo, "T", "started",
                          {{"port", "80"}, {"why", "a b"}}),
            "T info    started port=80 why=\"a b\"");
  EXPECT_EQ(
      FormatLogLine(LogForm::kJson, LogLevel::kError, "T", "a\"\n", {{"k", "平\xFF"}}),
      "{\"time\":\"T\",\"level\":\"error\",\"message\":\"a\\\"\\u000a\",\"k\":\"平\\ufffd\"}");
  EXPECT_FALSE(ConfigureLog({.level = "loud"}).ok());
  EXPECT_FALSE(ConfigureLog({.form = "xml"}).ok());
  EXPECT_TRUE(ConfigureLog({.level = "error", .form = "json"}).ok());
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  EXPECT_TRUE(ConfigureLog({}).ok());
}

}  // namespace
}  // namespace pingti
