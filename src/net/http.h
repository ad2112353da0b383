// HTTP messages as plain values, and Exchange: one request and the way to answer it. No sockets here: handlers and their
// tests see only this header.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.h"

namespace pingti::net {

struct Header {
  std::string name;
  std::string value;
};

// In the order of arrival; names compare without case.
class Headers final {
 public:
  Headers() = default;
  Headers(std::initializer_list<Header> list) : list_(list) {}

  // The first value, or "" where there is none.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const;
  void Add(std::string name, std::string value);
  void Set(std::string name, std::string value);  // replaces all of that name
  const std::vector<Header>& list() const { return list_; }

 private:
  std::vector<Header> list_;
};

struct Request {
  std::string method;
  std::string target;       // as sent
  std::string path;         // of the target, percent-decoded
  std::string query;        // after '?', as sent
  Headers headers;
  std::string body;
  std::string peer;         // "127.0.0.1:50412"
  int32_t version = 11;     // 10 or 11
  bool keep_alive = true;
};

struct Response {
  int32_t status = 200;
  Headers headers = {};     // Content-Length, Connection and Date are the connection's
  std::string body = {};
};

// One request and its answer. Alive until answered and released by its handler. All methods are thread-safe; those that
// write take effect in the order of the calls. After the client has gone they do nothing.
class Exchange : public Executor {
 public:
  virtual const Request& request() const = 0;
  virtual const std::string& request_id() const = 0;

  // A header of the answer, set before it begins.
  virtual void AddHeader(std::string name, std::string value) = 0;
  // The whole answer.
  virtual void Respond(Response response) = 0;
  // An answer in pieces: StartStream, Write ..., Finish. `head.body` is the first piece.
  virtual void StartStream(Response head) = 0;
  virtual void Write(std::string bytes) = 0;
  // Written whenever a streamed answer has been silent for `period_ms`, so that nothing between here and the client takes
  // the connection for dead.
  virtual void SetHeartbeat(std::string bytes, int64_t period_ms) = 0;
  virtual void Finish() = 0;
  // Ends a streamed answer so that the client sees that it is broken.
  virtual void Abort() = 0;

  // `on_gone` is called once, on the connection's thread, as soon as the client has gone before the end of the answer.
  virtual void OnDisconnect(std::function<void()> on_gone) = 0;
  virtual bool disconnected() const = 0;
  // `on_done` is called once when the last byte is written or the client is gone: (status, body bytes).
  virtual void OnDone(std::function<void(int32_t status, uint64_t body_bytes)> on_done) = 0;
};

std::string_view StatusText(int32_t status);          // "Not Found"
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
// "%20" becomes a space, and so on; a bad escape stays as it is.
std::string PercentDecode(std::string_view text);

}  // namespace pingti::net
