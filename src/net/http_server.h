// HttpServer: HTTP/1.1 with keep-alive, pipelining, streamed answers and limits on everything that a client controls.
// A few Loops carry all connections; no thread belongs to a connection.
//
// A client that goes away is noticed at once, also while its request only waits: the connection always listens. Closing
// the sending side counts as going away, as in other servers for this API. Thread-safe after Start.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/http.h"
#include "net/transport.h"

namespace pingti::net {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;                     // 0: any free port
  TlsContextPtr tls = nullptr;               // null: plain HTTP
  int loops = 1;                         // I/O threads
  int32_t connections_max = 4096;        // more are answered 503 and closed
  size_t header_bytes_max = 32 << 10;    // 431
  size_t body_bytes_max = 16 << 20;      // 413
  size_t unsent_bytes_max = 8 << 20;     // of one streamed answer; a reader so slow is gone
  size_t pipelined_bytes_max = 64 << 10; // read ahead while an answer is made
  int64_t header_timeout_ms = 15'000;
  int64_t body_timeout_ms = 60'000;
  int64_t idle_timeout_ms = 75'000;
  int64_t write_timeout_ms = 60'000;     // without progress
  int64_t linger_ms = 2'000;             // after an error, so that the client can read it
};

struct HttpServerStats {
  int64_t connections = 0;          // open now
  uint64_t connections_total = 0;
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
};

class HttpServer final {
 public:
  // Called on a Loop's thread for each request; must not block. An Exchange dropped without an answer becomes a 500.
  using Handler = std::function<void(std::shared_ptr<Exchange>)>;
  // Makes the answer to what is no request (a parser's error, a limit): status and why.
  using ErrorPage = std::function<Response(int32_t status, const std::string& why)>;

  static Result<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options, Handler handler,
                                                   ErrorPage error_page);
  // Closes everything at once. Exchanges must have been let go before (stop first what answers them; CloseAll tells it).
  ~HttpServer();

  uint16_t port() const;
  HttpServerStats stats() const;
  // Closes all connections; handlers hear that their clients are gone.
  void CloseAll();
  // Closes idle connections now and the others after their answer. Keeps listening.
  void CloseAfterAnswers();
  // Waits until no answer is under way and all of them have been sent, at most `timeout_ms`.
  bool WaitUntilAnswered(int64_t timeout_ms);

  struct State;

 private:
  explicit HttpServer(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace pingti::net
