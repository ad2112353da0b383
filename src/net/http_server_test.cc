#include "net/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "net/raw_client.h"

namespace pingti::net {
namespace {

using std::chrono::milliseconds;

Response Text(int32_t status, std::string body) {
  return {.status = status, .headers = {{"Content-Type", "text/plain"}}, .body = std::move(body)};
}

template <typename F>
bool Eventually(F&& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return false;
}

// A server that echoes, streams and waits, by path.
class HttpServerTest : public testing::Test {
 protected:
  void StartServer(HttpServerOptions options = {}) {
    auto server = HttpServer::Start(
        options, [this](std::shared_ptr<Exchange> exchange) { Handle(std::move(exchange)); },
        [](int32_t status, const std::string& why) { return Text(status, "refused: " + why); });
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(server).value();
  }

  void TearDown() override {
    std::lock_guard lock(mutex_);
    waiting_.clear();
  }

  void Handle(std::shared_ptr<Exchange> exchange) {
    const std::string& path = exchange->request().path;
    if (path == "/counted") {
      exchange->OnDone([this](int32_t status, uint64_t bytes) {
        done_status_ = status;
        done_bytes_ = static_cast<int64_t>(bytes);
      });
      return exchange->Respond(Text(200, std::string(5 << 20, 'x')));
    }
    if (path == "/echo") return exchange->Respond(Text(200, exchange->request().body));
    if (path == "/path") return exchange->Respond(Text(200, exchange->request().target));
    if (path == "/drop") return;
    if (path == "/throw") throw std::runtime_error("handler failed");
    if (path == "/stream") {
      exchange->StartStream(Text(200, "one,"));
      exchange->Write("two,");
      exchange->Write("three");
      return exchange->Finish();
    }
    if (path == "/wait") {
      exchange->OnDisconnect([this] { gone_.fetch_add(1); });
      std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(exchange));
      return;
    }
    exchange->Respond(Text(404, "no"));
  }

  std::string Ask(std::string_view bytes) {
    RawClient client(server_->port());
    EXPECT_TRUE(client.Send(bytes));
    return client.ReadAll();
  }

  size_t waiting() {
    std::lock_guard lock(mutex_);
    return waiting_.size();
  }

  std::mutex mutex_;
  std::vector<std::shared_ptr<Exchange>> waiting_;
  std::atomic<int> gone_{0};
  std::atomic<int32_t> done_status_{0};
  std::atomic<int64_t> done_bytes_{0};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersAndCloses) {
  StartServer();
  const std::string answer =
      Ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("\r\nContent-Length: 5\r\n"), std::string::npos);
  EXPECT_NE(answer.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_NE(answer.find("\r\nDate: "), std::string::npos);
  EXPECT_NE(answer.find("\r\nx-request-id: req-"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nhello"));
}

TEST_F(HttpServerTest, KeepsAliveAndKeepsTheOrderOfPipelinedRequests) {
  StartServer();
  RawClient client(server_->port());
  std::string many;
  for (int i = 0; i < 200; ++i) {
    const std::string body = "body-" + std::to_string(i) + ";";
    many += "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  many += "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  ASSERT_TRUE(client.Send(many));
  const std::string answers = client.ReadAll();
  size_t at = 0;
  for (int i = 0; i < 200; ++i) {
    at = answers.find("body-" + std::to_string(i) + ";", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_NE(answers.find("three", at), std::string::npos);
}

TEST_F(HttpServerTest, OneByteAtATime) {
  StartServer();
  RawClient client(server_->port());
  const std::string request =
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
  for (const char c : request) ASSERT_TRUE(client.Send({&c, 1}));
  EXPECT_TRUE(client.ReadAll().ends_with("abcde"));
}

TEST_F(HttpServerTest, StreamsInChunks) {
  StartServer();
  const std::string answer = Ask("GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_NE(answer.find("4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\n"), std::string::npos) << answer;
}

TEST_F(HttpServerTest, StreamsToHttp10UntilTheEndOfTheConnection) {
  StartServer();
  const std::string answer = Ask("GET /stream HTTP/1.0\r\n\r\n");
  EXPECT_EQ(answer.find("chunked"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\none,two,three")) << answer;
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  StartServer();
  const std::string answer = Ask("HEAD /path HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 5"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, RefusesWhatIsNoRequest) {
  StartServer({.header_bytes_max = 1024, .body_bytes_max = 100});
  const std::string big_header = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(5000, 'x') + "\r\n\r\n";
  const std::pair<std::string, std::string> cases[] = {
      {"rubbish\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET / HTTP/3.7\r\nHost: a\r\n\r\n", "505"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", "413"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", "413"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(5000, 'x'), "4"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\nContent-Length: 1\r\n\r\n", "417"},
      {big_header, "431"},
  };
  for (const auto& [bytes, status] : cases) {
    const std::string answer = Ask(bytes);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status)) << bytes.substr(0, 80) << "\n-> " << answer;
    EXPECT_NE(answer.find("Connection: close"), std::string::npos) << bytes.substr(0, 80);
  }
}

TEST_F(HttpServerTest, ContinuesBeforeTheBody) {
  StartServer();
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"));
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.Send("ok"));
  EXPECT_TRUE(client.ReadAll().ends_with("ok"));
}

TEST_F(HttpServerTest, SlowHeadersAndSlowBodiesEnd) {
  StartServer({.header_timeout_ms = 300, .body_timeout_ms = 300, .idle_timeout_ms = 300});
  EXPECT_TRUE(Ask("GET / HTTP/1.1\r\nHost:").starts_with("HTTP/1.1 408"));
  EXPECT_TRUE(Ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc").starts_with("HTTP/1.1 408"));
  RawClient idle(server_->port());
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_TRUE(idle.closed());
}

TEST_F(HttpServerTest, TellsAtOnceThatAWaitingClientHasGone) {
  StartServer();
  {
    RawClient client(server_->port());
    ASSERT_TRUE(client.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    ASSERT_TRUE(Eventually([this] { return waiting() == 1; }));
    EXPECT_EQ(gone_, 0);
  }
  EXPECT_TRUE(Eventually([this] { return gone_ == 1; }));
  EXPECT_TRUE(waiting_[0]->disconnected());
  waiting_[0]->Respond(Text(200, "nobody reads this"));  // must not hurt
}

TEST_F(HttpServerTest, TellsThatAStreamingClientHasGone) {
  StartServer();
  {
    RawClient client(server_->port());
    ASSERT_TRUE(client.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
    ASSERT_TRUE(Eventually([this] { return waiting() == 1; }));
    waiting_[0]->StartStream(Text(200, "begin"));
    client.ReadUntil("begin");
  }
  EXPECT_TRUE(Eventually([this] { return gone_ == 1; }));
}

TEST_F(HttpServerTest, AReaderThatDoesNotReadIsGone) {
  StartServer({.unsent_bytes_max = 1 << 20, .write_timeout_ms = 300});
  RawClient client(server_->port());
  ASSERT_TRUE(client.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
  ASSERT_TRUE(Eventually([this] { return waiting() == 1; }));
  waiting_[0]->StartStream(Text(200, ""));
  for (int i = 0; i < 100 && gone_ == 0; ++i) waiting_[0]->Write(std::string(256 << 10, 'x'));
  EXPECT_TRUE(Eventually([this] { return gone_ == 1; }));
}

TEST_F(HttpServerTest, TheEndIsToldAlsoWhereTheHandlerHasLetGo) {
  StartServer();
  Ask("GET /counted HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(Eventually([this] { return done_status_ == 200; }));
  EXPECT_EQ(done_bytes_, 5 << 20);
}

TEST_F(HttpServerTest, ADroppedOrThrowingHandlerIsA500) {
  StartServer();
  EXPECT_TRUE(Ask("GET /drop HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 500"));
  EXPECT_TRUE(Ask("GET /throw HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 500"));
}

TEST_F(HttpServerTest, TooManyConnectionsAreRefused) {
  StartServer({.connections_max = 2});
  RawClient first(server_->port());
  RawClient second(server_->port());
  ASSERT_TRUE(Eventually([this] { return server_->stats().connections == 2; }));
  EXPECT_TRUE(RawClient(server_->port()).ReadAll().starts_with("HTTP/1.1 503"));
  first.Close();
  ASSERT_TRUE(Eventually([this] { return server_->stats().connections < 2; }));
  EXPECT_TRUE(Ask("GET /path HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, RequestIdsAreTakenWhereHarmless) {
  StartServer();
  EXPECT_NE(Ask("GET /path HTTP/1.1\r\nHost: a\r\nX-Request-Id: abc-1\r\nConnection: close\r\n\r\n")
                .find("x-request-id: abc-1\r\n"),
            std::string::npos);
  EXPECT_NE(Ask("GET /path HTTP/1.1\r\nHost: a\r\nX-Request-Id: a b\r\nConnection: close\r\n\r\n")
                .find("x-request-id: req-"),
            std::string::npos);
}

TEST_F(HttpServerTest, ClosesAfterAnswers) {
  StartServer();
  RawClient idle(server_->port());
  RawClient busy(server_->port());
  ASSERT_TRUE(busy.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
  ASSERT_TRUE(Eventually([this] { return waiting() == 1; }));
  server_->CloseAfterAnswers();
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_TRUE(idle.closed());
  waiting_[0]->Respond(Text(200, "late"));
  const std::string answer = busy.ReadAll();
  EXPECT_TRUE(answer.ends_with("late"));
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
}

TEST_F(HttpServerTest, SeveralLoopsCarryManyConnections) {
  StartServer({.loops = 2});
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 300; ++i) {
    clients.push_back(std::make_unique<RawClient>(server_->port()));
    ASSERT_TRUE(clients.back()->connected());
    ASSERT_TRUE(clients.back()->Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
  }
  ASSERT_TRUE(Eventually([this] { return waiting() == 300; }));
  for (const auto& exchange : waiting_) {
    exchange->StartStream(Text(200, "a"));
    exchange->Write("b");
    exchange->Finish();
  }
  for (const auto& client : clients) {
    EXPECT_NE(client->ReadUntil("0\r\n\r\n").find("1\r\nb\r\n0\r\n\r\n"), std::string::npos);
  }
}

TEST(HttpServerStart, AnAddressInUseIsAnError) {
  auto handler = [](std::shared_ptr<Exchange> exchange) { exchange->Respond({}); };
  auto page = [](int32_t status, const std::string&) { return Response{.status = status, .headers = {}, .body = {}}; };
  auto first = HttpServer::Start({}, handler, page);
  ASSERT_TRUE(first.ok());
  auto second = HttpServer::Start({.port = (*first)->port()}, handler, page);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("cannot listen on 127.0.0.1:"), std::string::npos);
}

}  // namespace
}  // namespace pingti::net
