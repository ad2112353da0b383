#include "net/http_client.h"

#include <optional>

#include "net/message_parser.h"
#include "net/transport.h"

namespace pingti::net {

namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kHeaderBytesMax = 64 << 10;
constexpr int64_t kTickMs = 50;

bool IsRedirect(int32_t status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// One Fetch: hop after hop (redirects), each: connect, proxy's CONNECT, TLS, request, answer.
class FetchJob final {
 public:
  explicit FetchJob(const FetchOptions& options) : options_(options), buffer_(kReadBytes, '\0') {}

  Result<Response> Run() {
    PT_ASSIGN(url_, ParseUrl(options_.url));
    method_ = options_.method;
    headers_ = options_.headers;
    body_ = options_.body;
    loop_.Every(kTickMs, [this] { Tick(); });
    loop_.Post([this] { StartHop(); });
    loop_.Run();
    if (transport_) transport_->Close();
    if (!result_.ok()) return result_;
    Response response = parser_->head();
    response.body = std::move(kept_);
    return response;
  }

 private:
  void End(Status status) {
    if (ended_) return;
    ended_ = true;
    result_ = std::move(status);
    loop_.Stop();
  }

  void Tick() {
    if (options_.maybe_cancel != nullptr && *options_.maybe_cancel) return End(Cancelled("cancelled"));
    if (NowMs() < deadline_ms_) return;
    End({StatusCode::kDeadlineExceeded, std::string(connected_ ? "no answer from " : "no connection to ") +
                                            url_.HostHeader() + " in time"});
  }

  void StartHop() {
    connected_ = false;
    deadline_ms_ = NowMs() + options_.connect_timeout_ms;
    proxy_.reset();
    const std::string proxy = options_.proxy.For(url_);
    if (!proxy.empty()) {
      auto parsed = ParseUrl(proxy);
      if (!parsed.ok()) return End(parsed.status().WithContext("proxy"));
      proxy_ = std::move(parsed).value();
    }
    const Url& target = proxy_ ? *proxy_ : url_;
    Connect(loop_, target.host, target.port, [this](Result<TransportPtr> connected) {
      if (!connected.ok()) return End(connected.status());
      transport_ = std::move(connected).value();
      if (proxy_ && url_.secure()) return Tunnel();
      if (url_.secure()) return StartTls();
      SendRequest();
    });
  }

  std::string ProxyAuthorization() const {
    if (!proxy_ || proxy_->user_info.empty()) return {};
    return "Proxy-Authorization: Basic " + Base64(PercentDecode(proxy_->user_info)) + "\r\n";
  }

  void Tunnel() {
    const std::string host = url_.host.find(':') == std::string::npos ? url_.host : "[" + url_.host + "]";
    const std::string authority = host + ":" + url_.port;
    parser_.emplace(kHeaderBytesMax, true);
    on_answer_ = [this] {
      const int32_t status = parser_->head().status;
      if (status != 200) {
        const char* hint = status == 407 ? " (wanted a user and a password that it knows: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT)"
                                         : "";
        return End(Unavailable("the proxy " + proxy_->HostHeader() + " refused the connection: " + std::to_string(status) + hint));
      }
      StartTls();
    };
    WriteAll("CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n" + ProxyAuthorization() + "\r\n");
  }

  void StartTls() {
    if (!tls_) {
      auto tls = MakeClientTls(options_.ca_file);
      if (!tls.ok()) return End(tls.status());
      tls_ = std::move(tls).value();
    }
    StartClientTls(std::move(transport_), tls_, url_.host, [this](Result<TransportPtr> secured) {
      if (!secured.ok()) return End(secured.status());
      transport_ = std::move(secured).value();
      SendRequest();
    });
  }

  void SendRequest() {
    connected_ = true;
    const bool absolute = proxy_ && !url_.secure();
    std::string out = method_ + " " + (absolute ? url_.ToString() : url_.target) + " HTTP/1.1\r\n";
    out += "Host: " + url_.HostHeader() + "\r\nConnection: close\r\n";
    if (!headers_.Has("User-Agent")) out += "User-Agent: pingti\r\n";
    if (!headers_.Has("Accept")) out += "Accept: */*\r\n";
    if (absolute) out += ProxyAuthorization();
    for (const Header& header : headers_.list()) out += header.name + ": " + header.value + "\r\n";
    if (!body_.empty() || method_ == "POST") out += "Content-Length: " + std::to_string(body_.size()) + "\r\n";
    out += "\r\n";
    out += body_;
    parser_.emplace(kHeaderBytesMax, method_ == "HEAD");
    parser_->on_head = [this](const Response& head) {
      return Redirects(head) || !options_.on_head || options_.on_head(head);
    };
    parser_->on_body = [this](std::string_view piece) { return KeepBody(piece); };
    on_answer_ = [this] { AnswerComplete(); };
    WriteAll(std::move(out));
  }

  bool Redirects(const Response& head) const {
    return IsRedirect(head.status) && head.headers.Has("Location") && options_.redirects_max > 0;
  }

  bool KeepBody(std::string_view piece) {
    if (Redirects(parser_->head())) return true;
    if (options_.on_body) return options_.on_body(piece);
    if (kept_.size() + piece.size() > options_.body_bytes_max) {
      too_large_ = true;
      return false;
    }
    kept_.append(piece);
    return true;
  }

  void AnswerComplete() {
    const Response& head = parser_->head();
    if (!Redirects(head)) return End(Status::Ok());
    if (++redirects_ > options_.redirects_max) {
      return End(Unavailable("more than " + std::to_string(options_.redirects_max) + " redirects from " + options_.url));
    }
    auto next = ResolveUrl(url_, head.headers.Get("Location"));
    if (!next.ok()) return End(next.status().WithContext("redirect"));
    if (url_.secure() && !next->secure()) return End(Unavailable("redirect from https to " + next->ToString()));
    if (next->host != url_.host || next->port != url_.port) {
      Headers kept;
      for (const Header& header : headers_.list()) {
        if (!EqualsIgnoreCase(header.name, "Authorization") && !EqualsIgnoreCase(header.name, "Cookie")) {
          kept.Add(header.name, header.value);
        }
      }
      headers_ = std::move(kept);
    }
    if (head.status <= 303 && method_ == "POST") {
      method_ = "GET";
      body_.clear();
    }
    url_ = std::move(next).value();
    transport_->Close();
    // The parser that is on the stack here is replaced on the next hop.
    loop_.Post([this] { StartHop(); });
  }

  void WriteAll(std::string bytes) {
    out_ = std::move(bytes);
    out_done_ = 0;
    WriteMore();
  }

  void WriteMore() {
    deadline_ms_ = NowMs() + options_.idle_timeout_ms;
    if (out_done_ == out_.size()) return ReadMore();
    transport_->Write(out_.data() + out_done_, out_.size() - out_done_, [this](const IoResult& result) {
      if (!result.ok()) return End(Unavailable("sending to " + url_.HostHeader() + ": " + Describe(result)));
      out_done_ += result.bytes;
      WriteMore();
    });
  }

  void ReadMore() {
    transport_->Read(buffer_.data(), buffer_.size(), [this](const IoResult& result) {
      if (ended_) return;
      deadline_ms_ = NowMs() + options_.idle_timeout_ms;
      if (!result.error.empty()) {
        return End(Unavailable("reading from " + url_.HostHeader() + ": " + Describe(result)));
      }
      std::string_view bytes(buffer_.data(), result.bytes);
      const ParseState state = result.eof ? parser_->FeedEof() : parser_->Feed(bytes);
      if (state == ParseState::kFailed) return End(ParseFailure());
      if (state == ParseState::kDone) return on_answer_();
      ReadMore();
    });
  }

  Status ParseFailure() const {
    if (too_large_) {
      return ResourceExhausted("the answer of " + url_.HostHeader() + " is larger than " +
                               std::to_string(options_.body_bytes_max) + " bytes");
    }
    if (parser_->error() == "stopped") return Cancelled("stopped");
    return Unavailable("answer of " + url_.HostHeader() + ": " + parser_->error());
  }

  static std::string Describe(const IoResult& result) { return result.eof ? "connection closed" : result.error; }

  const FetchOptions& options_;
  Loop loop_;
  Url url_;
  std::optional<Url> proxy_;
  TlsContextPtr tls_;
  std::string method_;
  Headers headers_;
  std::string body_;
  TransportPtr transport_;
  std::optional<ResponseParser> parser_;
  std::function<void()> on_answer_;
  std::string buffer_;
  std::string out_;
  size_t out_done_ = 0;
  std::string kept_;
  bool too_large_ = false;
  bool connected_ = false;
  bool ended_ = false;
  int redirects_ = 0;
  int64_t deadline_ms_ = 0;
  Status result_;
};

}  // namespace

Result<Response> Fetch(const FetchOptions& options) {
  FetchJob job(options);
  return job.Run();
}

}  // namespace pingti::net
