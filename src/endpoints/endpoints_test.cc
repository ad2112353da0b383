#include <gtest/gtest.h>

#include "endpoints/console_files.h"
#include "endpoints/testing/fakes.h"

namespace pingti::endpoints {
namespace {

using testing::FakeBackend;
using testing::RecordingExchange;

class EndpointsTest : public ::testing::Test {
 protected:
  std::shared_ptr<RecordingExchange> Ask(const std::string& method, const std::string& path, std::string body = {},
                                         net::Headers headers = {}) {
    net::Request request{.method = method, .target = path, .path = path, .query = {}, .headers = std::move(headers),
                         .body = std::move(body), .peer = {}};
    auto exchange = std::make_shared<RecordingExchange>(std::move(request));
    const RouteMatch match = FindRoute(method, path);
    if (match.route == nullptr) {
      ADD_FAILURE() << "no route " << method << " " << path;
      return exchange;
    }
    record_ = std::make_shared<observe::AccessRecord>();
    match.route->handler({.exchange = exchange,
                          .context = &context_,
                          .caller = {},
                          .record = record_,
                          .arrived = std::chrono::steady_clock::now()});
    exchange->Pump();
    return exchange;
  }

  json::object Json(const std::string& method, const std::string& path, std::string body = {}) {
    auto exchange = Ask(method, path, std::move(body));
    EXPECT_EQ(exchange->response.status, 200) << exchange->response.body;
    return ParseJson(exchange->response.body).value().as_object();
  }

  // The events of a stream, parsed; the last must be [DONE].
  std::vector<json::object> Stream(const std::string& path, std::string body) {
    auto exchange = Ask("POST", path, std::move(body));
    EXPECT_TRUE(exchange->streamed) << exchange->response.body;
    EXPECT_TRUE(exchange->finished);
    EXPECT_EQ(exchange->response.headers.Get("content-type"), "text/event-stream; charset=utf-8");
    std::vector<json::object> events;
    std::string_view rest = exchange->response.body;
    bool done = false;
    while (!rest.empty()) {
      const size_t end = rest.find("\n\n");
      if (end == std::string_view::npos || !rest.starts_with("data: ")) {
        ADD_FAILURE() << "framing: " << rest;
        break;
      }
      EXPECT_FALSE(done) << "an event after [DONE]";
      const std::string_view data = rest.substr(6, end - 6);
      done = data == "[DONE]";
      if (!done) events.push_back(ParseJson(data).value().as_object());
      rest.remove_prefix(end + 2);
    }
    EXPECT_TRUE(done);
    return events;
  }

  FakeBackend backend_;
  observe::Metrics metrics_;
  Context context_{.backend = backend_, .metrics = metrics_, .limits = {}, .version = "9.9"};
  std::shared_ptr<observe::AccessRecord> record_;
};

const char kMessages[] = R"("messages":[{"role":"user","content":"hi"}])";

std::string Body(const std::string& fields) { return "{" + std::string(kMessages) + fields + "}"; }

TEST_F(EndpointsTest, ChatAnswer) {
  const json::object body = Json("POST", "/v1/chat/completions", Body(""));
  EXPECT_EQ(body.at("object"), "chat.completion");
  EXPECT_EQ(body.at("id"), "chatcmpl-test-1");
  EXPECT_EQ(body.at("model"), "fake");
  EXPECT_EQ(body.at("choices").at(0).at("message").at("content"), "Hello");
  EXPECT_EQ(body.at("choices").at(0).at("message").at("role"), "assistant");
  EXPECT_EQ(body.at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_TRUE(body.at("choices").at(0).at("logprobs").is_null());
  EXPECT_EQ(body.at("usage").at("total_tokens"), 5);
  EXPECT_EQ(body.at("usage").at("prompt_tokens_details").at("cached_tokens"), 2);
  EXPECT_EQ(body.at("seed"), 42);
  EXPECT_EQ(record_->completion_tokens, 2);
  EXPECT_EQ(record_->finish_reason, "stop");
  EXPECT_GE(record_->ttft_ms, 0);
}

TEST_F(EndpointsTest, ChatStreamFraming) {
  const auto events =
      Stream("/v1/chat/completions", Body(R"(,"stream":true,"n":2,"stream_options":{"include_usage":true})"));
  // 2 roles, 2 x (2 pieces + end), usage
  ASSERT_EQ(events.size(), 9U);
  EXPECT_EQ(events[0].at("choices").at(0).at("delta").at("role"), "assistant");
  EXPECT_EQ(events[0].at("choices").at(0).at("delta").at("content"), "");
  EXPECT_EQ(events[1].at("choices").at(0).at("index"), 1);
  EXPECT_EQ(events[2].at("choices").at(0).at("delta").at("content"), "Hel");
  EXPECT_TRUE(events[2].at("choices").at(0).at("finish_reason").is_null());
  EXPECT_TRUE(events[2].at("usage").is_null());
  EXPECT_EQ(events[4].at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_TRUE(events[4].at("choices").at(0).at("delta").as_object().empty());
  EXPECT_TRUE(events[8].at("choices").as_array().empty());
  EXPECT_EQ(events[8].at("usage").at("completion_tokens"), 4);
  for (const json::object& event : events) {
    EXPECT_EQ(event.at("object"), "chat.completion.chunk");
    EXPECT_EQ(event.at("id"), "chatcmpl-test-1");
  }
}

TEST_F(EndpointsTest, ChatReasoningStandsApart) {
  backend_.reasoning = "hmm";
  EXPECT_EQ(Json("POST", "/v1/chat/completions", Body("")).at("choices").at(0).at("message").at("reasoning_content"),
            "hmm");
  const auto events = Stream("/v1/chat/completions", Body(R"(,"stream":true)"));
  EXPECT_EQ(events[1].at("choices").at(0).at("delta").at("reasoning_content"), "hmm");
  EXPECT_FALSE(events[1].at("choices").at(0).at("delta").as_object().contains("content"));
}

TEST_F(EndpointsTest, ChatLogprobs) {
  const json::object body = Json("POST", "/v1/chat/completions", Body(R"(,"logprobs":true,"top_logprobs":2)"));
  const json::value& content = body.at("choices").at(0).at("logprobs").at("content");
  EXPECT_EQ(content.as_array().size(), 2U);
  EXPECT_EQ(content.at(1).at("token"), "lo");
  EXPECT_EQ(content.at(1).at("top_logprobs").as_array().size(), 2U);
}

TEST_F(EndpointsTest, ErrorsBeforeTheAnswer) {
  backend_.refusal = ResourceExhausted("queue full");
  auto full = Ask("POST", "/v1/chat/completions", Body(R"(,"stream":true)"));
  EXPECT_EQ(full->response.status, 429);
  EXPECT_EQ(full->response.headers.Get("retry-after"), "1");
  EXPECT_FALSE(full->streamed);
  auto wrong = Ask("POST", "/v1/chat/completions", Body(R"(,"temperature":5)"));
  EXPECT_EQ(wrong->response.status, 400);
  EXPECT_EQ(ParseJson(wrong->response.body)->at("error").at("param"), "temperature");
}

TEST_F(EndpointsTest, AnErrorInTheStreamIsAnEvent) {
  backend_.failure = Internal("the model broke");
  const auto events = Stream("/v1/chat/completions", Body(R"(,"stream":true)"));
  EXPECT_EQ(events.back().at("error").at("message"), "the model broke");
  EXPECT_EQ(Ask("POST", "/v1/chat/completions", Body(""))->response.status, 500);
}

TEST_F(EndpointsTest, TheClientsLeavingCancels) {
  backend_.hang = true;
  auto exchange = Ask("POST", "/v1/completions", R"({"prompt":["a","b"],"stream":true})");
  EXPECT_TRUE(exchange->streamed);
  EXPECT_GT(exchange->heartbeat_ms, 0);
  EXPECT_TRUE(backend_.cancelled.empty());
  exchange->Disconnect();
  exchange->Pump();
  EXPECT_EQ(backend_.cancelled, (std::vector<std::string>{"ticket-0", "ticket-1"}));
  EXPECT_EQ(metrics_.cancelled_by_client.value(), 1);
}

TEST_F(EndpointsTest, OneRefusedPromptCancelsTheOthers) {
  backend_.refusal = InvalidArgument("too long", "prompt").WithReason(protocol::kContextLengthExceeded);
  backend_.refuse_from = 1;
  auto exchange = Ask("POST", "/v1/completions", R"({"prompt":["a","b"]})");
  EXPECT_EQ(exchange->response.status, 400);
  EXPECT_EQ(ParseJson(exchange->response.body)->at("error").at("code"), "context_length_exceeded");
  EXPECT_EQ(backend_.cancelled, (std::vector<std::string>{"ticket-0"}));
}

TEST_F(EndpointsTest, CompletionsOfSeveralPrompts) {
  const json::object body = Json("POST", "/v1/completions", R"({"prompt":["a","b"],"n":2,"echo":true})");
  EXPECT_EQ(body.at("object"), "text_completion");
  const json::array& choices = body.at("choices").as_array();
  ASSERT_EQ(choices.size(), 4U);
  EXPECT_EQ(choices[1].at("text"), "aHello");
  EXPECT_EQ(choices[2].at("text"), "bHello");
  EXPECT_EQ(choices[3].at("index"), 3);
  EXPECT_EQ(body.at("usage").at("prompt_tokens"), 6);
}

TEST_F(EndpointsTest, CompletionStreamAndLogprobs) {
  const auto events = Stream("/v1/completions", R"({"prompt":[104,105],"stream":true,"echo":true})");
  EXPECT_EQ(events[0].at("choices").at(0).at("text"), "hi");
  EXPECT_EQ(events.back().at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_EQ(events.back().at("choices").at(0).at("text"), "lo");
  const json::object body = Json("POST", "/v1/completions", R"({"prompt":"x","echo":true,"logprobs":1})");
  const json::value& logprobs = body.at("choices").at(0).at("logprobs");
  EXPECT_EQ(logprobs.at("tokens").as_array().size(), 4U);
  EXPECT_TRUE(logprobs.at("token_logprobs").at(0).is_null());
  EXPECT_EQ(logprobs.at("text_offset").at(2), 6);
}

TEST_F(EndpointsTest, Models) {
  const json::object list = Json("GET", "/v1/models");
  EXPECT_EQ(list.at("object"), "list");
  EXPECT_EQ(list.at("data").at(0).at("id"), "fake");
  EXPECT_EQ(Json("GET", "/v1/models/fake").at("object"), "model");
  auto missing = Ask("GET", "/v1/models/none");
  EXPECT_EQ(missing->response.status, 404);
  EXPECT_EQ(ParseJson(missing->response.body)->at("error").at("code"), "model_not_found");
}

TEST_F(EndpointsTest, TokenizeAndBack) {
  const json::object body = Json("POST", "/tokenize", R"({"prompt":"ab","return_token_strs":true})");
  EXPECT_EQ(body.at("count"), 2);
  EXPECT_EQ(body.at("tokens").at(1), 98);
  EXPECT_EQ(body.at("max_model_len"), 100);
  EXPECT_EQ(body.at("token_strs").at(0), "a");
  EXPECT_EQ(Json("POST", "/tokenize", Body("")).at("count"), 2);
  EXPECT_EQ(Json("POST", "/detokenize", R"({"tokens":[97,98]})").at("prompt"), "ab");
}

TEST_F(EndpointsTest, Operations) {
  EXPECT_EQ(Json("GET", "/health").at("status"), "ok");
  EXPECT_EQ(Json("GET", "/ready").at("status"), "ready");
  backend_.ready = Unavailable("stands still");
  EXPECT_EQ(Ask("GET", "/ready")->response.status, 503);
  EXPECT_EQ(Json("GET", "/version").at("version"), "9.9");
  EXPECT_EQ(Json("GET", "/pingti/status").at("model").at("name"), "fake");
  auto metrics = Ask("GET", "/metrics");
  EXPECT_EQ(backend_.metric_updates, 1);
  EXPECT_NE(metrics->response.body.find("# TYPE vllm:num_requests_running gauge"), std::string::npos);
}

TEST_F(EndpointsTest, Console) {
  ASSERT_FALSE(ConsoleFiles().empty());
  auto page = Ask("GET", "/");
  EXPECT_EQ(page->response.status, 200);
  EXPECT_TRUE(page->response.headers.Get("content-type").starts_with("text/html"));
  auto again = Ask("GET", "/", "", {{"If-None-Match", std::string(page->response.headers.Get("etag"))}});
  EXPECT_EQ(again->response.status, 304);
  EXPECT_TRUE(again->response.body.empty());
}

TEST_F(EndpointsTest, OpenApiNamesEveryRoute) {
  const json::object document = Json("GET", "/openapi.json");
  EXPECT_TRUE(document.at("openapi").as_string().starts_with("3."));
  for (const Route* route : AllRoutes()) {
    std::string path(route->path);
    if (path == "/" || FindRoute("GET", path).route == nullptr || path.find('.') != std::string::npos) continue;
    if (path.ends_with("/*")) path = path.substr(0, path.size() - 1) + "{model}";
    EXPECT_TRUE(document.at("paths").as_object().contains(path)) << path;
  }
  EXPECT_TRUE(document.at("paths").as_object().contains("/v1/chat/completions"));
  EXPECT_EQ(Ask("GET", "/docs")->response.status, 200);
}

TEST(Router, MethodsAndPaths) {
  EXPECT_NE(FindRoute("HEAD", "/health").route, nullptr);
  EXPECT_EQ(FindRoute("GET", "/nothing").route, nullptr);
  EXPECT_TRUE(FindRoute("GET", "/nothing").allowed.empty());
  const RouteMatch wrong = FindRoute("GET", "/v1/chat/completions");
  EXPECT_EQ(wrong.route, nullptr);
  EXPECT_EQ(wrong.allowed, (std::vector<std::string_view>{"POST"}));
  EXPECT_EQ(FindRoute("GET", "/v1/models/").route, nullptr);
}

}  // namespace
}  // namespace pingti::endpoints
