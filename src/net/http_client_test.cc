#include "net/http_client.h"

#include <gtest/gtest.h>

#include <mutex>

#include "base/file.h"
#include "net/http_server.h"

namespace pingti::net {
namespace {

Response Text(int32_t status, std::string body, Headers headers = {}) {
  return {.status = status, .headers = std::move(headers), .body = std::move(body)};
}

std::string FileBody() {
  std::string body;
  for (int i = 0; i < 40'000; ++i) body += std::to_string(i) + ",";
  return body;
}

class HttpClientTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = HttpServer::Start(
        {}, [this](std::shared_ptr<Exchange> exchange) { Handle(std::move(exchange)); },
        [](int32_t status, const std::string& why) { return Text(status, why); });
    ASSERT_TRUE(server.ok());
    server_ = std::move(server).value();
    base_ = "http://127.0.0.1:" + std::to_string(server_->port());
  }
  void TearDown() override {
    server_.reset();
  }

  void Handle(std::shared_ptr<Exchange> exchange) {
    const Request& request = exchange->request();
    {
      std::lock_guard lock(mutex_);
      seen_.push_back(request);
    }
    if (request.path == "/hello") return exchange->Respond(Text(200, "hello " + request.body));
    if (request.path == "/hop") return exchange->Respond(Text(302, "", {{"Location", "/hello"}}));
    if (request.path == "/circle") return exchange->Respond(Text(302, "", {{"Location", "/circle"}}));
    if (request.path == "/elsewhere") {
      return exchange->Respond(
          Text(302, "", {{"Location", "http://localhost:" + std::to_string(server_->port()) + "/hello"}}));
    }
    if (request.path == "/never") {
      std::lock_guard lock(mutex_);
      kept_.push_back(std::move(exchange));
      return;
    }
    if (request.path == "/file") return exchange->Respond(Text(200, FileBody()));
    if (request.path == "/half") {
      exchange->StartStream(Text(200, "half of it"));
      return exchange->Abort();
    }
    exchange->Respond(Text(404, "no"));
  }

  std::mutex mutex_;
  std::vector<Request> seen_;
  std::vector<std::shared_ptr<Exchange>> kept_;
  std::unique_ptr<HttpServer> server_;
  std::string base_;
};

TEST_F(HttpClientTest, PostsAndReads) {
  auto answer = Fetch({.method = "POST", .url = base_ + "/hello", .headers = {{"X-A", "b"}}, .body = "you"});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "hello you");
  EXPECT_EQ(seen_[0].headers.Get("x-a"), "b");
}

TEST_F(HttpClientTest, FollowsRedirectsToALimit) {
  EXPECT_EQ(Fetch({.url = base_ + "/hop"})->body, "hello ");
  EXPECT_EQ(Fetch({.url = base_ + "/circle"}).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(Fetch({.url = base_ + "/hop", .redirects_max = 0})->status, 302);
}

TEST_F(HttpClientTest, AuthorizationStaysWithItsHost) {
  ASSERT_TRUE(Fetch({.url = base_ + "/elsewhere", .headers = {{"Authorization", "Bearer s"}, {"X-A", "b"}}}).ok());
  ASSERT_EQ(seen_.size(), 2U);
  EXPECT_EQ(seen_[0].headers.Get("Authorization"), "Bearer s");
  EXPECT_FALSE(seen_[1].headers.Has("Authorization"));
  EXPECT_EQ(seen_[1].headers.Get("X-A"), "b");
}

TEST_F(HttpClientTest, WaitsEnd) {
  EXPECT_EQ(Fetch({.url = base_ + "/never", .idle_timeout_ms = 100}).status().code(), StatusCode::kDeadlineExceeded);
  std::atomic<bool> cancel{true};
  EXPECT_EQ(Fetch({.url = base_ + "/never", .maybe_cancel = &cancel}).status().code(), StatusCode::kCancelled);
  std::lock_guard lock(mutex_);
  kept_.clear();
}

TEST_F(HttpClientTest, ErrorsAreTold) {
  EXPECT_EQ(Fetch({.url = "ftp://x"}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Fetch({.url = "http://127.0.0.1:1/"}).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(Fetch({.url = base_ + "/half"}).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(Fetch({.url = base_ + "/file", .body_bytes_max = 100}).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(Fetch({.url = base_ + "/file", .on_body = [](std::string_view) { return false; }}).status().code(),
            StatusCode::kCancelled);
}

TEST(UrlTest, PartsAndErrors) {
  auto url = ParseUrl("https://user:pa@Example.com:8443/a/b?c=d#e");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->host, "Example.com");
  EXPECT_EQ(url->port, "8443");
  EXPECT_EQ(url->target, "/a/b?c=d");
  EXPECT_EQ(url->user_info, "user:pa");
  EXPECT_EQ(ParseUrl("http://[::1]:80")->host, "::1");
  EXPECT_EQ(ParseUrl("http://a?b")->target, "/?b");
  EXPECT_EQ(ResolveUrl(*url, "x")->target, "/a/x");
  EXPECT_EQ(ResolveUrl(*url, "//h/x")->host, "h");
  for (const char* bad : {"", "http://", "http://a b/", "http://a:x/", "http://[::1/", "http://a:123456/", "a/b"}) {
    EXPECT_FALSE(ParseUrl(bad).ok()) << bad;
  }
}

TEST(ProxyTest, NoProxyAndLoopback) {
  const ProxySettings settings{.http = "p:1", .https = "http://u:p@q:2", .no_proxy = "inner.example, .corp"};
  EXPECT_EQ(settings.For(*ParseUrl("http://x.example")), "http://p:1");
  EXPECT_EQ(settings.For(*ParseUrl("https://x.example")), "http://u:p@q:2");
  EXPECT_EQ(settings.For(*ParseUrl("https://inner.example")), "");
  EXPECT_EQ(settings.For(*ParseUrl("https://a.inner.example")), "");
  EXPECT_EQ(settings.For(*ParseUrl("https://winner.example")), "http://u:p@q:2");
  EXPECT_EQ(settings.For(*ParseUrl("https://git.corp")), "");
  EXPECT_EQ(settings.For(*ParseUrl("http://127.0.0.1:8080")), "");
}

TEST(Base64Test, Padding) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foo"), "Zm9v");
}

}  // namespace
}  // namespace pingti::net
