// HTTP/1.1 messages from bytes: RequestParser for the server, ResponseParser for the client. Bytes go in as they come,
// in pieces of any size; limits are checked before anything is stored. No sockets. One owner, not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/http.h"

namespace pingti::net {

struct ParserLimits {
  size_t header_bytes_max = 32 << 10;
  size_t body_bytes_max = 16 << 20;
};

enum class ParseState : uint8_t {
  kHeaders,  // wants more bytes of the headers
  kBody,     // has the headers, wants more bytes of the body
  kDone,
  kFailed,
};

class RequestParser final {
 public:
  explicit RequestParser(const ParserLimits& limits);
  ~RequestParser();

  // Takes what belongs to this request; what is left stays in `bytes` (the next, pipelined request).
  ParseState Feed(std::string_view& bytes);
  // Bytes of this request have come.
  bool started() const;
  // The headers ask for "100 Continue" before the body.
  bool wants_continue() const;

  // After kDone: the request, once; the parser is then ready for the next one.
  Request Take();
  // After kFailed: the status to answer (400, 413, 431, 505 ...) and why.
  int32_t error_status() const;
  const std::string& error() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The body is not kept: pieces go to `on_body` as they come; false from it stops (kFailed, error "stopped").
class ResponseParser final {
 public:
  ResponseParser(size_t header_bytes_max, bool head_request);
  ~ResponseParser();

  std::function<bool(const Response& head)> on_head;
  std::function<bool(std::string_view piece)> on_body;

  ParseState Feed(std::string_view& bytes);
  // The connection has ended; kDone where that is a legal end of the body.
  ParseState FeedEof();
  const Response& head() const;  // valid from kBody on; without a body
  bool keep_alive() const;
  const std::string& error() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pingti::net
