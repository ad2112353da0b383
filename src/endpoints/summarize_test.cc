// Summaries over a backend without a model: its tokens are bytes, its context is 100, every answer
// is "Hello".
#include <gtest/gtest.h>

#include "endpoints/map_reduce.h"
#include "endpoints/testing/fakes.h"
#include "endpoints/text_chunks.h"

namespace pingti::endpoints {
namespace {

using testing::FakeBackend;
using testing::RecordingExchange;

Result<int64_t> Bytes(std::string_view text) { return static_cast<int64_t>(text.size()); }

std::string Joined(const std::vector<std::string_view>& chunks) {
  std::string out;
  for (const std::string_view chunk : chunks) out += chunk;
  return out;
}

TEST(TextChunks, ParagraphsStayWholeWhereTheyFit) {
  const std::string text = "one two\n\nthree four\n\nfive six seven\n\neight";
  const auto chunks = SplitIntoChunks(text, 22, Bytes).value();
  EXPECT_EQ(chunks, (std::vector<std::string_view>{"one two\n\nthree four\n\n",
                                                   "five six seven\n\neight"}));
  EXPECT_EQ(SplitIntoChunks(text, 1000, Bytes)->size(), 1U);
  EXPECT_TRUE(SplitIntoChunks("", 5, Bytes)->empty());
}

TEST(TextChunks, FinerBordersWhereAParagraphIsTooLong) {
  EXPECT_EQ(SplitIntoChunks("A line.\nAnother. And one more! So.", 18, Bytes).value(),
            (std::vector<std::string_view>{"A line.\nAnother. ", "And one more! So."}));
  EXPECT_EQ(SplitIntoChunks("第一句。第二句。", 12, Bytes).value(),
            (std::vector<std::string_view>{"第一句。", "第二句。"}));
  EXPECT_EQ(SplitIntoChunks("alpha beta gamma", 11, Bytes).value(),
            (std::vector<std::string_view>{"alpha beta ", "gamma"}));
}

TEST(TextChunks, AnyTextWithinTheBoundAndNothingLost) {
  uint64_t state = 42;
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (int i = 0; i < 300; ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      static const char* const kPieces[] = {
          "a", "bc", " ", "\n", "\n\n", ". ", "。", "好", "\xF0\x9F\x98\x80", "longerword"};
      text += kPieces[(state >> 33) % 10];
    }
    const int64_t max = 4 + static_cast<int64_t>(state % 60);
    const auto chunks = SplitIntoChunks(text, max, Bytes).value();
    EXPECT_EQ(Joined(chunks), text);
    for (const std::string_view chunk : chunks) {
      EXPECT_LE(static_cast<int64_t>(chunk.size()), max);
      EXPECT_NE(static_cast<unsigned char>(chunk.front()) & 0xC0, 0x80) << "cut inside a character";
    }
  }
}

TEST(TextChunks, ALongTextIsNeverCountedWhole) {
  const std::string text(1 << 20, 'x');
  size_t longest = 0;
  const auto chunks = SplitIntoChunks(text, 100, [&](std::string_view part) {
    longest = std::max(longest, part.size());
    return Bytes(part);
  });
  EXPECT_EQ(Joined(*chunks), text);
  EXPECT_LE(longest, 1600U);
  EXPECT_FALSE(SplitIntoChunks("abc", 1, [](std::string_view) -> Result<int64_t> {
                 return Internal("no");
               }).ok());
}

class SummarizeTest : public ::testing::Test {
 protected:
  std::shared_ptr<RecordingExchange> Ask(const std::string& body) {
    net::Request request{.method = "POST",
                         .target = "/v1/summarize",
                         .path = "/v1/summarize",
                         .query = {},
                         .headers = {},
                         .body = body,
                         .peer = {}};
    auto exchange = std::make_shared<RecordingExchange>(std::move(request));
    context_.run_heavy = [this](std::function<void()> task) {
      if (pool_full_) return false;
      task();
      return true;
    };
    FindRoute("POST", "/v1/summarize")
        .route->handler({.exchange = exchange,
                         .context = &context_,
                         .caller = {},
                         .record = std::make_shared<observe::AccessRecord>(),
                         .arrived = std::chrono::steady_clock::now(),
                         .on_usage = [this](const protocol::Usage& usage) { used_ = usage; }});
    exchange->Pump();
    return exchange;
  }
  json::object Json(const std::string& body) {
    const auto exchange = Ask(body);
    EXPECT_EQ(exchange->response.status, 200) << exchange->response.body;
    return ParseJson(exchange->response.body).value().as_object();
  }
  json::object Error(const std::string& body, int32_t status) {
    const auto exchange = Ask(body);
    EXPECT_EQ(exchange->response.status, status) << exchange->response.body;
    return ParseJson(exchange->response.body)->at("error").as_object();
  }
  std::string Content(size_t chat) const {
    return std::string(backend_.chats[chat].messages.at(0).at("content").as_string());
  }

  FakeBackend backend_;
  observe::Metrics metrics_;
  Context context_{.backend = backend_, .metrics = metrics_, .limits = {}, .version = "9.9"};
  protocol::Usage used_;
  bool pool_full_ = false;
};

TEST_F(SummarizeTest, AShortTextIsOneChat) {
  const json::object body = Json(R"({"input":"A short text.","max_tokens":7})");
  EXPECT_EQ(body.at("object"), "summary");
  EXPECT_EQ(body.at("summary"), "Hello");
  EXPECT_EQ(body.at("finish_reason"), "stop");
  EXPECT_EQ(body.at("chunks"), 1);
  EXPECT_EQ(body.at("levels"), 0);
  ASSERT_EQ(backend_.chats.size(), 1U);
  EXPECT_NE(Content(0).find("\n\nA short text."), std::string::npos);
  EXPECT_EQ(backend_.options_seen[0].sampling.max_tokens, 7);
}

TEST_F(SummarizeTest, ALongTextIsMappedAndReduced) {
  std::string text;
  for (int i = 0; i < 9; ++i) text += std::string(60, static_cast<char>('a' + i)) + "\\n\\n";
  const json::object body =
      Json(R"({"chunk_tokens":64,"instruction":"In French.","input":")" + text + "\"}");
  EXPECT_EQ(body.at("summary"), "Hello");
  EXPECT_EQ(body.at("chunks"), 9);
  EXPECT_EQ(body.at("levels"), 1);  // nine times "Hello" and a border is 61
  ASSERT_EQ(backend_.chats.size(), 10U);
  for (size_t i = 0; i < 9; ++i) {
    EXPECT_TRUE(
        Content(i).starts_with("In French.\n\n" + std::string(60, static_cast<char>('a' + i))))
        << Content(i);
    EXPECT_EQ(backend_.options_seen[i].sampling.max_tokens, 16);  // a quarter of the chunk
  }
  EXPECT_NE(Content(9).find("Hello\n\nHello"), std::string::npos);
  EXPECT_EQ(backend_.options_seen[9].sampling.max_tokens, 1024);
  EXPECT_EQ(body.at("usage").at("prompt_tokens"), 30);
  EXPECT_EQ(body.at("usage").at("completion_tokens"), 20);
  EXPECT_EQ(used_.prompt_tokens, 30) << "the key's quota counts all of it";
}

TEST_F(SummarizeTest, SeveralLevels) {
  const json::object body =
      Json(R"({"chunk_tokens":64,"input":")" + std::string(6400, 'x') + "\"}");
  EXPECT_EQ(body.at("summary"), "Hello");
  EXPECT_GE(body.at("levels").as_int64(), 2);
}

TEST_F(SummarizeTest, AStreamTellsTheLastSummaryOnly) {
  const auto exchange =
      Ask(R"({"chunk_tokens":64,"stream":true,"input":")" + std::string(200, 'x') + "\"}");
  EXPECT_TRUE(exchange->streamed && exchange->finished);
  const std::string& body = exchange->response.body;
  EXPECT_TRUE(body.ends_with("data: [DONE]\n\n")) << body;
  EXPECT_EQ(body.find("\"Hel\""), body.rfind("\"Hel\"")) << body;
  EXPECT_NE(body.find("\"usage\":{"), std::string::npos);
}

TEST_F(SummarizeTest, FewChatsAtOnceAndAllCancelledWithTheClient) {
  backend_.hang = true;
  const auto exchange = Ask(R"({"chunk_tokens":64,"input":")" + std::string(6400, 'x') + "\"}");
  EXPECT_EQ(backend_.chats.size(), 4U);
  exchange->Disconnect();
  exchange->Pump();
  EXPECT_EQ(backend_.cancelled,
            (std::vector<std::string>{"ticket-0", "ticket-1", "ticket-2", "ticket-3"}));
}

TEST_F(SummarizeTest, OneFailureEndsItAll) {
  backend_.refusal = ResourceExhausted("The queue is full.");
  backend_.refuse_from = 2;
  const json::object error =
      Error(R"({"chunk_tokens":64,"input":")" + std::string(6400, 'x') + "\"}", 429);
  EXPECT_EQ(error.at("message"), "The queue is full.");
  EXPECT_LT(backend_.chats.size(), 10U) << "of a hundred";
  backend_.refusal = Status::Ok();
  pool_full_ = true;
  Error(R"({"input":"text"})", 429);
}

TEST_F(SummarizeTest, WrongFields) {
  EXPECT_EQ(Error(R"({})", 400).at("param"), "input");
  EXPECT_EQ(Error(R"({"input":" \n"})", 400).at("param"), "input");
  EXPECT_EQ(Error(R"({"input":5})", 400).at("code"), "invalid_type");
  EXPECT_EQ(Error(R"({"input":"a","n":2})", 400).at("param"), "n");
  EXPECT_EQ(Error(R"({"input":"a","max_tokens":-1})", 400).at("param"), "max_tokens");
  EXPECT_EQ(Error(R"({"input":"a","chunk_tokens":10})", 400).at("param"), "chunk_tokens");
  const json::object error = Error(R"({"input":"a","chunk_tokens":99})", 400);
  EXPECT_EQ(error.at("param"), "chunk_tokens");
  EXPECT_NE(std::string(error.at("message").as_string()).find("78"), std::string::npos);
}

}  // namespace
}  // namespace pingti::endpoints
