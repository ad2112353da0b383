// The whole server over a model that is made, not loaded: real sockets, real engine.
#include "server/server.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "base/file.h"
#include "net/http_client.h"
#include "runtime/testing/fake_model.h"
#include "server/serving.h"

namespace pingti::server {
namespace {

using net::Fetch;
using runtime::testing::FakeModel;
using runtime::testing::FakeModelOptions;

constexpr char kTemplate[] =
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";

template <typename F>
bool Eventually(F&& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

class ServerTest : public ::testing::Test {
 protected:
  void StartServer(ServerOptions options = {}, FakeModelOptions model = {.script = "abcdefghij"}, bool chat = true) {
    runtime::Bundle bundle;
    bundle.name = "fake";
    text::TokenizerSpec spec = text::testing::ByteBpeSpec({"~ ~"}, {"<end>"});
    spec.eos = runtime::testing::kFakeEnd;
    bundle.tokenizer = text::Tokenizer::Create(std::move(spec)).value();
    if (chat) bundle.chat_template = text::ChatTemplate::Compile(kTemplate, "", "").value();
    bundle.defaults.temperature = 0;
    bundle.model = std::make_unique<FakeModel>(std::move(model));
    options.port = 0;
    if (options.engine.kv_bytes == 0) options.engine.kv_bytes = 4 << 20;
    auto server = StartWithBundle(options, std::move(bundle));
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(server).value();
  }

  std::string Url(const std::string& path) const { return server_->info().url + path; }

  net::Response Ask(const std::string& method, const std::string& path, const std::string& body = {},
                    net::Headers headers = {}) {
    auto answer = Fetch({.method = method, .url = Url(path), .headers = std::move(headers), .body = body});
    EXPECT_TRUE(answer.ok()) << answer.status().ToString();
    return answer.ok() ? std::move(answer).value() : net::Response{.status = 0};
  }
  json::value Json(const std::string& path, const std::string& body) {
    const net::Response response = Ask("POST", path, body);
    EXPECT_EQ(response.status, 200) << response.body;
    return ParseJson(response.body).value();
  }
  double Metric(const std::string& name) {
    const std::string text = Ask("GET", "/metrics").body;
    const size_t at = text.find("\n" + name);
    EXPECT_NE(at, std::string::npos) << name;
    const size_t space = text.find(' ', at + 1);
    return std::stod(text.substr(space + 1));
  }

  std::unique_ptr<Server> server_;
};

const char kChat[] = R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":5})";

TEST_F(ServerTest, ChatAndCompletion) {
  StartServer();
  const json::value chat = Json("/v1/chat/completions", kChat);
  EXPECT_EQ(chat.at("choices").at(0).at("message").at("content").as_string().size(), 5U);
  EXPECT_EQ(chat.at("choices").at(0).at("finish_reason"), "length");
  EXPECT_EQ(chat.at("usage").at("completion_tokens"), 5);
  // The script says position p is followed by its byte p + 1.
  const json::value text = Json("/v1/completions", R"({"prompt":"xyz","max_tokens":4,"model":"fake"})");
  EXPECT_EQ(text.at("choices").at(0).at("text"), "defg");
  EXPECT_EQ(text.at("usage").at("prompt_tokens"), 3);
}

TEST_F(ServerTest, StopAndAliases) {
  StartServer();
  const json::value stopped = Json("/v1/completions", R"({"prompt":"xyz","max_new_tokens":9,"stop":"g"})");
  EXPECT_EQ(stopped.at("choices").at(0).at("text"), "def");
  EXPECT_EQ(stopped.at("choices").at(0).at("finish_reason"), "stop");
  const json::value bounded = Json("/v1/completions", R"({"prompt":"xyz","max_total_tokens":5})");
  EXPECT_EQ(bounded.at("usage").at("completion_tokens"), 2);
}

TEST_F(ServerTest, StreamsOfManyClients) {
  StartServer();
  std::vector<std::thread> clients;
  std::atomic<int> good{0};
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back([&] {
      auto answer = Fetch({.method = "POST",
                           .url = Url("/v1/completions"),
                           .body = R"({"prompt":"x","max_tokens":20,"stream":true})"});
      if (answer.ok() && answer->body.ends_with("data: [DONE]\n\n")) good.fetch_add(1);
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good, 16);
  EXPECT_EQ(Metric("vllm:generation_tokens_total"), 320);
  EXPECT_EQ(Metric("vllm:e2e_request_latency_seconds_count"), 16);
}

TEST_F(ServerTest, BatchAndBusyGaugesFollowTheLoad) {
  StartServer({}, {.script = "abcdefghij", .step_ms = 2});
  EXPECT_EQ(Metric("pingti_engine_batch_sequences"), 0);
  EXPECT_EQ(Metric("pingti_engine_busy_share"), 0);
  EXPECT_EQ(Metric("pingti_kv_blocks_free"), Metric("pingti_kv_blocks"));
  double busy = 0;
  for (const int streams : {1, 4, 16}) {
    std::vector<std::thread> clients;
    for (int i = 0; i < streams; ++i) {
      clients.emplace_back([&] {
        (void)Fetch({.method = "POST",
                     .url = Url("/v1/completions"),
                     .body = R"({"prompt":"x","max_tokens":150,"ignore_eos":true})"});
      });
    }
    EXPECT_TRUE(Eventually([&] { return Metric("pingti_engine_batch_sequences") == streams; }));
    const double blocks = Metric("pingti_kv_blocks");
    EXPECT_EQ(Metric("pingti_kv_blocks_used") + Metric("pingti_kv_blocks_free"), blocks);
    EXPECT_GT(Metric("pingti_kv_waste_ratio"), 0);
    for (std::thread& client : clients) client.join();
    EXPECT_GT(Metric("pingti_engine_busy_share"), busy);
    busy = Metric("pingti_engine_busy_share");
  }
  EXPECT_LE(busy, 1);
}

TEST_F(ServerTest, TheClientsLeavingEndsTheGeneration) {
  StartServer({}, {.script = "abc", .step_ms = 5});
  for (const char* stream : {"true", "false"}) {
    const std::string body =
        std::string(R"({"prompt":"x","max_tokens":100000,"ignore_eos":true,"stream":)") + stream + "}";
    std::atomic<bool> leave{false};
    std::thread client([&] {
      (void)Fetch({.method = "POST", .url = Url("/v1/completions"), .body = body, .maybe_cancel = &leave});
    });
    EXPECT_TRUE(Eventually([&] { return Metric("vllm:num_requests_running") == 1; }));
    leave = true;
    client.join();
    EXPECT_TRUE(Eventually([&] { return server_->answers_under_way() == 0; }));
  }
  EXPECT_EQ(Metric("pingti_requests_cancelled_total"), 2);
}

TEST_F(ServerTest, TooLongPromptsNameBothNumbers) {
  StartServer();
  const net::Response response =
      Ask("POST", "/v1/completions", R"({"prompt":")" + std::string(300, 'x') + R"("})");
  EXPECT_EQ(response.status, 400);
  const json::value error = ParseJson(response.body)->at("error");
  EXPECT_EQ(error.at("code"), "context_length_exceeded");
  EXPECT_NE(std::string(error.at("message").as_string()).find("256"), std::string::npos);
  EXPECT_NE(std::string(error.at("message").as_string()).find("300"), std::string::npos);
}

TEST_F(ServerTest, ErrorsInTheApisShape) {
  StartServer();
  EXPECT_EQ(Ask("GET", "/nowhere").status, 404);
  const net::Response wrong_method = Ask("GET", "/v1/chat/completions");
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_EQ(wrong_method.headers.Get("allow"), "POST, OPTIONS");
  const net::Response unknown = Ask("POST", "/v1/completions", R"({"prompt":"a","model":"gpt"})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(ParseJson(unknown.body)->at("error").at("code"), "model_not_found");
  for (const char* body : {"", "{", "[]", "{\"prompt\":5}", "{\"prompt\":\"\"}", "{\"prompt\":[999999]}"}) {
    const net::Response response = Ask("POST", "/v1/completions", body);
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_TRUE(ParseJson(response.body)->at("error").at("message").is_string()) << body;
  }
}

TEST_F(ServerTest, ABodyThatIsNoJsonByItsTypeIsRefused) {
  StartServer();
  const auto status = [&](const std::string& type) {
    return Ask("POST", "/tokenize", R"({"prompt":"a"})", {{"Content-Type", type}}).status;
  };
  EXPECT_EQ(status("text/plain"), 415);
  EXPECT_EQ(status("application/jsonx"), 415);
  EXPECT_EQ(status("application/JSON ; charset=utf-8"), 200);
  EXPECT_EQ(Ask("POST", "/tokenize", R"({"prompt":"a"})").status, 200);  // none named
}

TEST_F(ServerTest, AModelWithoutTemplateSaysSo) {
  StartServer({}, {.script = "abc"}, false);
  const net::Response response = Ask("POST", "/v1/chat/completions", kChat);
  EXPECT_EQ(response.status, 400);
  EXPECT_NE(response.body.find("/v1/completions"), std::string::npos);
}

TEST_F(ServerTest, Keys) {
  ServerOptions options;
  // The sum is that of "two".
  options.api_keys = {"alice one", "bob sha256:3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"};
  StartServer(options);
  EXPECT_EQ(Ask("GET", "/health").status, 200);
  EXPECT_EQ(Ask("GET", "/").status, 200);
  EXPECT_EQ(Ask("GET", "/v1/models").status, 401);
  EXPECT_EQ(Ask("GET", "/metrics").status, 401);
  const net::Response refused = Ask("POST", "/v1/chat/completions", kChat, {{"Authorization", "Bearer three"}});
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(ParseJson(refused.body)->at("error").at("code"), "invalid_api_key");
  for (const char* key : {"Bearer one", "bearer two"}) {
    EXPECT_EQ(Ask("POST", "/v1/chat/completions", kChat, {{"Authorization", key}}).status, 200) << key;
  }
}

TEST_F(ServerTest, KeysShareNoCachedPrompts) {
  for (const bool share : {false, true}) {
    ServerOptions options;
    options.api_keys = {"alice one", "bob two"};
    options.share_prefix_cache = share;
    StartServer(options);
    const std::string body = R"({"prompt":")" + std::string(128, 'p') + R"(","max_tokens":2})";
    const auto cached = [&](const char* key) {
      const net::Response response = Ask("POST", "/v1/completions", body, {{"Authorization", key}});
      return ParseJson(response.body)->at("usage").at("prompt_tokens_details").at("cached_tokens").as_int64();
    };
    EXPECT_EQ(cached("Bearer one"), 0);
    EXPECT_GT(cached("Bearer one"), 0);
    EXPECT_EQ(cached("Bearer two") > 0, share);
    server_.reset();
  }
}

TEST_F(ServerTest, CorsOnlyWhereSet) {
  StartServer();
  EXPECT_FALSE(Ask("GET", "/health", "", {{"Origin", "https://a.example"}}).headers.Has("access-control-allow-origin"));
  server_.reset();
  ServerOptions options;
  options.cors_origins = {"https://a.example"};
  StartServer(options);
  EXPECT_EQ(Ask("GET", "/health", "", {{"Origin", "https://a.example"}}).headers.Get("access-control-allow-origin"),
            "https://a.example");
  EXPECT_FALSE(Ask("GET", "/health", "", {{"Origin", "https://b.example"}}).headers.Has("access-control-allow-origin"));
  const net::Response preflight =
      Ask("OPTIONS", "/v1/chat/completions", "",
          {{"Origin", "https://a.example"}, {"Access-Control-Request-Method", "POST"}});
  EXPECT_EQ(preflight.status, 204);
  EXPECT_NE(preflight.headers.Get("access-control-allow-headers").find("authorization"), std::string_view::npos);
}

TEST_F(ServerTest, DrainLetsAnswersEndAndRefusesNewOnes) {
  StartServer({}, {.script = "abc", .step_ms = 5});
  std::string text;
  std::thread client([&] {
    text = Ask("POST", "/v1/completions", R"({"prompt":"x","max_tokens":60,"ignore_eos":true,"stream":true})").body;
  });
  ASSERT_TRUE(Eventually([&] { return server_->answers_under_way() == 1; }));
  std::thread drain([&] { EXPECT_TRUE(server_->Drain()); });
  ASSERT_TRUE(Eventually([&] { return Ask("GET", "/ready").status == 503; }));
  const net::Response refused = Ask("POST", "/v1/completions", R"({"prompt":"x"})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.headers.Has("retry-after"));
  EXPECT_EQ(Ask("GET", "/health").status, 200);
  client.join();
  drain.join();
  EXPECT_TRUE(text.ends_with("data: [DONE]\n\n")) << text;
}

TEST_F(ServerTest, AFullQueueIsA429) {
  ServerOptions options;
  options.engine.queue_max = 1;
  options.engine.sequences_max = 1;
  StartServer(options, {.script = "abc", .step_ms = 5});
  std::atomic<bool> leave{false};
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      (void)Fetch({.method = "POST",
                   .url = Url("/v1/completions"),
                   .body = R"({"prompt":"x","max_tokens":200,"ignore_eos":true})",
                   .maybe_cancel = &leave});
    });
    // The first runs before the second takes the one place in the queue.
    EXPECT_TRUE(Eventually([&] { return Metric(i == 0 ? "vllm:num_requests_running" : "vllm:num_requests_waiting") == 1; }));
  }
  net::Response response;
  EXPECT_TRUE(Eventually([&] {
    response = Ask("POST", "/v1/completions", R"({"prompt":"x","max_tokens":1})");
    return response.status == 429;
  }));
  EXPECT_TRUE(response.headers.Has("retry-after"));
  leave = true;
  for (std::thread& client : clients) client.join();
}

TEST_F(ServerTest, ReasoningOfModelsThatThink) {
  StartServer({}, {.script = "<think>why</think>because."});
  // The prompt ends at the script's end, so that the answer begins at its start.
  const json::value answer =
      Json("/v1/chat/completions", R"({"messages":[{"role":"user","content":"0123456"}],"max_tokens":26})");
  // This template names no <think>: all is text.
  EXPECT_FALSE(answer.at("choices").at(0).at("message").as_object().contains("reasoning_content"));
}

TEST_F(ServerTest, AccessLogHasALineForEachRequest) {
  const std::string path = ::testing::TempDir() + "/pingti_access_" + std::to_string(getpid());
  ServerOptions options;
  options.access_log = path;
  options.api_keys = {"alice secret-key"};
  StartServer(options);
  Ask("POST", "/v1/chat/completions", kChat, {{"Authorization", "Bearer secret-key"}, {"x-request-id", "abc"}});
  Ask("GET", "/nowhere");
  server_.reset();
  const std::string log = *ReadFile(path);
  std::filesystem::remove(path);
  EXPECT_EQ(log.find("secret-key"), std::string::npos);
  const json::value line = ParseJson(log.substr(0, log.find('\n'))).value();
  EXPECT_EQ(line.at("request_id"), "abc");
  EXPECT_EQ(line.at("key"), "alice");
  EXPECT_EQ(line.at("status"), 200);
  EXPECT_EQ(line.at("completion_tokens"), 5);
  EXPECT_EQ(line.at("finish_reason"), "length");
  EXPECT_NE(log.find("\"status\":404"), std::string::npos);
}

TEST_F(ServerTest, TokenizeAndBack) {
  StartServer();
  EXPECT_EQ(Json("/tokenize", R"({"prompt":"ab"})").at("count"), 2);
  EXPECT_EQ(Json("/detokenize", R"({"tokens":[97,98]})").at("prompt"), "ab");
  EXPECT_EQ(Ask("POST", "/detokenize", R"({"tokens":[99999]})").status, 400);
}

}  // namespace
}  // namespace pingti::server
