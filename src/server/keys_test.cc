// API keys without a server: lines, the file, quotas and what is kept over a restart.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "server/api_keys.h"
#include "server/key_file.h"

namespace pingti::server {
namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kStartMs = 20'000 * kDayMs;
constexpr endpoints::RouteOptions kChat{.weight = endpoints::Weight::kHeavy, .scope = "chat"};
constexpr endpoints::RouteOptions kList{};

class KeysTest : public ::testing::Test {
 protected:
  KeysTest() {
    folder_ =
        std::filesystem::path(::testing::TempDir()) / ("pingti_keys_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    file_ = folder_ / "keys";
  }
  ~KeysTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<ApiKeys> Open(std::vector<std::string> lines, bool with_file = false) {
    auto keys = ApiKeys::Open({.file = with_file ? file_ : std::filesystem::path(),
                               .lines = std::move(lines),
                               .usage_file = {},
                               .now_ms = [this] { return now_ms_.load(); }},
                              metrics_);
    EXPECT_TRUE(keys.ok()) << keys.status().ToString();
    return keys.ok() ? std::move(keys).value() : nullptr;
  }
  void WriteLines(const std::string& text) { std::ofstream(file_) << text; }

  std::filesystem::path folder_;
  std::filesystem::path file_;
  observe::Metrics metrics_;
  std::atomic<int64_t> now_ms_{kStartMs};
};

KeyEntry Entry(const std::string& name, const std::string& key) {
  KeyEntry entry;
  entry.name = name;
  entry.sum = SumOfKey(key);
  return entry;
}

StatusCode CodeOf(ApiKeys& keys, const std::string& key,
                  const endpoints::RouteOptions& route = kChat) {
  return keys.Admit("Bearer " + key, route).status.code();
}

TEST_F(KeysTest, LinesComeBackAsTheyWere) {
  KeyEntry entry{.name = "team",
                 .sum = SumOfKey("secret"),
                 .scopes = {"chat", "metrics"},
                 .expires_s = 1'800'000'000,
                 .requests_per_minute = 60,
                 .tokens_per_day = 1000,
                 .hint = "pt_abcd"};
  const std::string line = FormatKeyLine(entry);
  EXPECT_EQ(line.find("secret"), std::string::npos);
  const auto read = ParseKeyLine(line, 1);
  ASSERT_TRUE(read.ok() && *read) << read.status().ToString();
  EXPECT_EQ(FormatKeyLine(**read), line);
  EXPECT_EQ(ParseKeyLine("old key", 1).value()->sum, SumOfKey("key"));
  EXPECT_EQ(ParseKeyLine("only-a-key", 3).value()->name, "key-3");
  EXPECT_FALSE(ParseKeyLine("  # a comment", 1).value().has_value());
}

TEST_F(KeysTest, WrongLinesSayWhatWasWantedAndShowNoKey) {
  for (const char* line :
       {"a hunter2 c", "a sha256:12", "a sha256:zz hint=x", "a hunter2 color=red",
        "a hunter2 scopes=", "a hunter2 scopes=chat,fly", "a hunter2 expires=soon",
        "a hunter2 tokens-per-day=0", "a hunter2 requests-per-minute=1e9", "hunter2 scopes=chat"}) {
    const auto read = ParseKeyLine(line, 1);
    ASSERT_FALSE(read.ok()) << line;
    EXPECT_EQ(read.status().message().find("hunter2"), std::string::npos)
        << read.status().message();
  }
  EXPECT_NE(ParseKeyLine("a k scopes=fly", 1).status().message().find("chat"), std::string::npos);
}

TEST_F(KeysTest, Expiry) {
  EXPECT_EQ(*ParseExpiry("30d", 1000), 1000 + 30 * 86'400);
  EXPECT_EQ(*ParseExpiry("12h", 0), 12 * 3'600);
  EXPECT_EQ(FormatUtc(*ParseExpiry("2026-12-31", 0)), "2027-01-01T00:00:00Z");
  EXPECT_EQ(FormatUtc(*ParseExpiry("2026-12-31T12:30:00Z", 0)), "2026-12-31T12:30:00Z");
  for (const char* text :
       {"", "d", "-1d", "0d", "99999999d", "2026-13-01", "2026-12-31T12", "tomorrow"}) {
    EXPECT_FALSE(ParseExpiry(text, 0).ok()) << text;
  }
}

TEST_F(KeysTest, NewKeysAreLongAndDiffer) {
  const NewKey a = MakeKey();
  EXPECT_EQ(a.text.size(), 46U);
  EXPECT_TRUE(a.text.starts_with(a.hint));
  EXPECT_NE(a.text, MakeKey().text);
}

TEST_F(KeysTest, TheFileKeepsCommentsAndRights) {
  ASSERT_TRUE(AddKey(file_, Entry("alice", "a")).ok());
  struct stat made{};
  ASSERT_EQ(stat(file_.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0600U);
  WriteLines("# ours\nold secret-of-old\n" + *ReadFile(file_));
  chmod(file_.c_str(), 0640);
  ASSERT_TRUE(AddKey(file_, Entry("bob", "b")).ok());
  EXPECT_FALSE(AddKey(file_, Entry("bob", "c")).ok());
  EXPECT_FALSE(AddKey(file_, Entry("two words", "c")).ok());
  ASSERT_TRUE(RemoveKey(file_, "alice").ok());
  EXPECT_EQ(RemoveKey(file_, "alice").code(), StatusCode::kNotFound);
  const auto entries = ReadKeyFile(file_);
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[1].name, "bob");
  EXPECT_TRUE(ReadFile(file_)->starts_with("# ours\nold secret-of-old\n"));
  ASSERT_EQ(stat(file_.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0640U);
}

TEST_F(KeysTest, WritersExcludeEachOther) {
  std::vector<std::thread> writers;
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back(
        [&, i] { EXPECT_TRUE(AddKey(file_, Entry("k" + std::to_string(i), "x")).ok()); });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(ReadKeyFile(file_)->size(), 8U);
}

TEST_F(KeysTest, WhoMayAsk) {
  const auto keys =
      Open({"team secret scopes=chat", "late other expires=2000-01-01", "admin root"});
  EXPECT_TRUE(keys->required());
  EXPECT_EQ(CodeOf(*keys, "secret"), StatusCode::kOk);
  EXPECT_EQ(keys->Admit("bearer  secret ", kChat).name, "team");
  EXPECT_EQ(CodeOf(*keys, "secret", kList), StatusCode::kOk);
  EXPECT_EQ(CodeOf(*keys, "secret", {.scope = "metrics"}), StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(*keys, "root", {.scope = "metrics"}), StatusCode::kOk);
  for (const char* header :
       {"", "Bearer", "Bearer ", "Basic secret", "secret", "Bearer secre", "Bearer team"}) {
    EXPECT_EQ(keys->Admit(header, kList).status.code(), StatusCode::kUnauthenticated) << header;
  }
  const Status expired = keys->Admit("Bearer other", kList).status;
  EXPECT_EQ(expired.code(), StatusCode::kUnauthenticated);
  EXPECT_NE(expired.message().find("expired at 2000-01-02"), std::string::npos)
      << expired.message();
  EXPECT_FALSE(Open({})->required());
}

TEST_F(KeysTest, RequestsPerMinute) {
  const auto keys = Open({"team secret requests-per-minute=2"});
  EXPECT_EQ(CodeOf(*keys, "secret"), StatusCode::kOk);
  EXPECT_EQ(CodeOf(*keys, "secret"), StatusCode::kOk);
  const ApiKeys::Admission third = keys->Admit("Bearer secret", kChat);
  EXPECT_EQ(third.status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(third.retry_after_s, 30);
  const std::vector<std::pair<std::string, std::string>> wanted = {
      {"x-ratelimit-limit-requests", "2"},
      {"x-ratelimit-remaining-requests", "0"},
      {"x-ratelimit-reset-requests", "1m0s"}};
  EXPECT_EQ(third.headers, wanted);
  EXPECT_EQ(CodeOf(*keys, "secret", kList), StatusCode::kOk) << "what costs no work is free";
  now_ms_ += 30'000;
  EXPECT_EQ(CodeOf(*keys, "secret"), StatusCode::kOk);
  EXPECT_EQ(CodeOf(*keys, "secret"), StatusCode::kResourceExhausted);
  now_ms_ += 3'600'000;
  EXPECT_EQ(CodeOf(*keys, "secret"), StatusCode::kOk);
  now_ms_ -= 1'000'000;  // a clock that goes back gives nothing and breaks nothing
  EXPECT_EQ(CodeOf(*keys, "secret"), StatusCode::kResourceExhausted);
}

TEST_F(KeysTest, TokensPerDay) {
  const auto keys = Open({"team secret tokens-per-day=100"});
  keys->Count("team", {.prompt_tokens = 60, .completion_tokens = 39});
  EXPECT_EQ(CodeOf(*keys, "secret"), StatusCode::kOk);
  keys->Count("team", {.prompt_tokens = 1, .completion_tokens = 0});
  now_ms_ += kDayMs / 2;
  const ApiKeys::Admission refused = keys->Admit("Bearer secret", kChat);
  EXPECT_EQ(refused.status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.retry_after_s, 12 * 3'600);
  EXPECT_NE(refused.status.message().find("limit 100, used 100"), std::string::npos)
      << refused.status.message();
  now_ms_ += kDayMs / 2;
  EXPECT_EQ(CodeOf(*keys, "secret"), StatusCode::kOk) << "a new day";
}

TEST_F(KeysTest, TheServerTakesOverAChangedFileWholeOrNotAtAll) {
  WriteLines("alice one\n");
  const auto keys = Open({}, true);
  EXPECT_EQ(CodeOf(*keys, "one"), StatusCode::kOk);
  ASSERT_TRUE(AddKey(file_, Entry("bob", "two")).ok());
  keys->RereadIfChanged();
  EXPECT_EQ(CodeOf(*keys, "two"), StatusCode::kOk);
  WriteLines("carol three\nbroken line here\n");
  keys->RereadIfChanged();
  EXPECT_EQ(CodeOf(*keys, "two"), StatusCode::kOk) << "a wrong file changes nothing";
  EXPECT_EQ(CodeOf(*keys, "three"), StatusCode::kUnauthenticated);
  std::filesystem::remove(file_);
  keys->RereadIfChanged();
  EXPECT_EQ(CodeOf(*keys, "two"), StatusCode::kOk) << "a file that is gone changes nothing";
  WriteLines("# nobody\n");
  keys->RereadIfChanged();
  EXPECT_EQ(CodeOf(*keys, "two"), StatusCode::kUnauthenticated);
  EXPECT_TRUE(keys->required());
}

TEST_F(KeysTest, WhatWasUsedSurvivesARestart) {
  WriteLines("team secret tokens-per-day=10\n");
  {
    const auto keys = Open({}, true);
    EXPECT_EQ(CodeOf(*keys, "secret"), StatusCode::kOk);
    keys->Count("team", {.prompt_tokens = 8, .completion_tokens = 2});
  }
  const auto keys = Open({}, true);
  EXPECT_EQ(CodeOf(*keys, "secret"), StatusCode::kResourceExhausted);
  const json::value key = keys->Describe().at("keys").at(0);
  EXPECT_EQ(key.at("tokens_today"), 10);
  EXPECT_EQ(key.at("prompt_tokens"), 8);
  EXPECT_EQ(key.at("requests"), 1);
  EXPECT_EQ(ToJson(key).find("secret"), std::string::npos);
  std::ofstream(file_.string() + ".usage") << "{\"keys\":{\"team\":{}}}";
  const auto damaged = ApiKeys::Open({.file = file_, .lines = {}, .usage_file = {}}, metrics_);
  ASSERT_FALSE(damaged.ok());
  EXPECT_NE(damaged.status().message().find("keys.usage"), std::string::npos)
      << damaged.status().message();
}

TEST_F(KeysTest, MetricsNameTheKeyAndTheResult) {
  const auto keys = Open({"team secret scopes=chat requests-per-minute=1"});
  CodeOf(*keys, "secret");
  CodeOf(*keys, "secret");
  CodeOf(*keys, "secret", {.scope = "metrics"});
  CodeOf(*keys, "unknown");
  const std::string text = metrics_.Render();
  for (const char* result : {"accepted", "limited", "forbidden"}) {
    const std::string labels = "key=\"team\",result=\"" + std::string(result) + "\"} 1\n";
    EXPECT_NE(text.find(labels), std::string::npos) << labels;
  }
  EXPECT_EQ(text.find("unknown"), std::string::npos);
}

TEST_F(KeysTest, AFileWithoutKeysIsRefusedAtStart) {
  WriteLines("# none\n");
  const auto keys = ApiKeys::Open({.file = file_, .lines = {}, .usage_file = {}}, metrics_);
  ASSERT_FALSE(keys.ok());
  EXPECT_NE(keys.status().message().find("keys create"), std::string::npos);
  EXPECT_FALSE(
      ApiKeys::Open({.file = folder_ / "none", .lines = {}, .usage_file = {}}, metrics_).ok());
}

TEST(FormatReset, AsOpenAiWritesIt) {
  EXPECT_EQ(FormatReset(20), "20ms");
  EXPECT_EQ(FormatReset(1000), "1s");
  EXPECT_EQ(FormatReset(360'000), "6m0s");
  EXPECT_EQ(FormatReset(61'385'000), "17h3m5s");
}

}  // namespace
}  // namespace pingti::server
