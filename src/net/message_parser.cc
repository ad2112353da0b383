#include "net/message_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <algorithm>
#include <optional>

namespace pingti::net {

namespace http = boost::beast::http;
namespace asio = boost::asio;
using boost::beast::error_code;

namespace {

int32_t StatusOf(const error_code& error) {
  if (error == http::error::header_limit) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::bad_version) return 505;
  return 400;
}

// Gives `parser` what it can take of pending + bytes. Beast wants the headers in one piece, so that an incomplete line
// is kept in `pending`; body bytes are consumed as they come.
// `on_head` is called between the headers and the body; false ends.
template <typename Parser, typename OnHead>
error_code PutAll(Parser& parser, std::string& pending, std::string_view& bytes, const OnHead& on_head) {
  error_code error;
  std::string joined = std::move(pending);
  pending.clear();
  if (!joined.empty()) joined.append(bytes);
  std::string_view rest = joined.empty() ? bytes : std::string_view(joined);
  bool stopped = false;
  while (!error && !stopped && !rest.empty() && !parser.is_done()) {
    const bool had_head = parser.is_header_done();
    // The parser remembers how far it has looked, so that one byte at a time costs no more than all at once.
    const size_t used = parser.put(asio::buffer(rest.data(), rest.size()), error);
    rest.remove_prefix(used);
    if (error == http::error::need_more) error = {};
    const bool has_head = !error && !had_head && parser.is_header_done();
    if (has_head) stopped = !on_head();
    if (used == 0 && !has_head) break;
  }
  if (error || stopped || parser.is_done()) {
    bytes = bytes.substr(bytes.size() - std::min(rest.size(), bytes.size()));
    return error;
  }
  if (rest.size() == joined.size()) {
    pending = std::move(joined);
  } else {
    pending.assign(rest);
  }
  bytes = {};
  return error;
}

template <typename Fields>
Headers CopyHeaders(const Fields& fields) {
  Headers headers;
  for (const auto& field : fields) {
    headers.Add(std::string(field.name_string()), std::string(field.value()));
  }
  return headers;
}

}  // namespace

struct RequestParser::State {
  explicit State(const ParserLimits& parser_limits) : limits(parser_limits) { Reset(); }

  void Reset() {
    parser.emplace();
    // Headers and body in separate steps: what comes after the body (trailers) must not pass for headers.
    parser->eager(false);
    parser->header_limit(static_cast<uint32_t>(limits.header_bytes_max));
    parser->body_limit(limits.body_bytes_max);
    pending.clear();
    headers = {};
    started = head_refused = false;
  }

  ParseState Fail(int32_t status, std::string why) {
    error_status = status;
    error = std::move(why);
    return ParseState::kFailed;
  }

  // What RFC 9112 demands and Beast leaves to its user.
  ParseState CheckHead() {
    const auto& head = parser->get();
    if (head.version() != 10 && head.version() != 11) return Fail(505, "HTTP/1.0 and HTTP/1.1 are spoken here");
    if (head.version() == 11 && head.count(http::field::host) != 1) return Fail(400, "one Host header is required");
    if (head.count(http::field::transfer_encoding) > 0) {
      if (head.count(http::field::content_length) > 0) {
        return Fail(400, "Content-Length and Transfer-Encoding exclude each other");
      }
      if (!parser->chunked()) return Fail(501, "chunked is the only Transfer-Encoding spoken here");
    }
    const std::string_view expect = head[http::field::expect];
    if (!expect.empty() && !EqualsIgnoreCase(expect, "100-continue")) return Fail(417, "unknown Expect header");
    return ParseState::kBody;
  }

  ParserLimits limits;
  std::optional<http::request_parser<http::string_body>> parser;
  std::string pending;  // an incomplete header or chunk line
  Headers headers;      // as they were when the body began
  bool started = false;
  bool head_refused = false;
  int32_t error_status = 400;
  std::string error;
};

RequestParser::RequestParser(const ParserLimits& limits) : state_(std::make_unique<State>(limits)) {}
RequestParser::~RequestParser() = default;

ParseState RequestParser::Feed(std::string_view& bytes) {
  State& s = *state_;
  if (!s.started) {
    // Empty lines before a request are allowed (RFC 9112, 2.2).
    while (!bytes.empty() && (bytes.front() == '\r' || bytes.front() == '\n')) bytes.remove_prefix(1);
    if (bytes.empty()) return ParseState::kHeaders;
    s.started = true;
  }
  error_code error;
  try {
    error = PutAll(*s.parser, s.pending, bytes, [&s] {
      s.headers = CopyHeaders(s.parser->get());
      s.head_refused = s.CheckHead() == ParseState::kFailed;
      return !s.head_refused;
    });
  } catch (const std::exception& exception) {
    return s.Fail(400, exception.what());
  }
  if (s.head_refused) return ParseState::kFailed;
  if (error) return s.Fail(StatusOf(error), error.message());
  // Beast bounds the headers; this bounds a chunk's line and the trailers.
  if (s.pending.size() > s.limits.header_bytes_max) return s.Fail(431, "a line is too long");
  if (s.parser->is_done()) return ParseState::kDone;
  return s.parser->is_header_done() ? ParseState::kBody : ParseState::kHeaders;
}

bool RequestParser::started() const { return state_->started; }

bool RequestParser::wants_continue() const {
  return state_->parser->is_header_done() && !state_->parser->is_done() &&
         state_->parser->get().count(http::field::expect) > 0;
}

Request RequestParser::Take() {
  State& s = *state_;
  const bool keep_alive = s.parser->keep_alive();
  auto message = s.parser->release();
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  std::string_view path = request.target;
  const size_t question = path.find('?');
  if (question != std::string_view::npos) {
    request.query = std::string(path.substr(question + 1));
    path = path.substr(0, question);
  }
  request.path = PercentDecode(path);
  request.headers = std::move(s.headers);
  request.body = std::move(message.body());
  request.version = static_cast<int32_t>(message.version());
  request.keep_alive = keep_alive;
  s.Reset();
  return request;
}

int32_t RequestParser::error_status() const { return state_->error_status; }
const std::string& RequestParser::error() const { return state_->error; }

namespace {

// Beast's response parser with the body handed on piece by piece.
class HeadParser final : public http::basic_parser<false> {
 public:
  Response head;
  std::function<bool(std::string_view)> on_body;
  bool header_done = false;

 private:
  using string_view = boost::beast::string_view;
  void Stop(error_code& error) { error = http::error::body_limit; }

  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override { head.status = code; }
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    head.headers.Add(std::string(name), std::string(value));
  }
  void on_header_impl(error_code&) override { header_done = true; }
  void on_body_init_impl(boost::optional<uint64_t> const&, error_code&) override {}
  size_t on_body_impl(string_view piece, error_code& error) override {
    if (on_body && !on_body({piece.data(), piece.size()})) Stop(error);
    return piece.size();
  }
  void on_chunk_header_impl(uint64_t, string_view, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, string_view piece, error_code& error) override {
    return on_body_impl(piece, error);
  }
  void on_finish_impl(error_code&) override {}
};

}  // namespace

struct ResponseParser::State {
  HeadParser parser;
  std::string pending;
  bool head_told = false;
  std::string error;
};

ResponseParser::ResponseParser(size_t header_bytes_max, bool head_request) : state_(std::make_unique<State>()) {
  state_->parser.eager(true);
  state_->parser.skip(head_request);
  state_->parser.header_limit(static_cast<uint32_t>(header_bytes_max));
  state_->parser.body_limit(boost::none);
}
ResponseParser::~ResponseParser() = default;

ParseState ResponseParser::Feed(std::string_view& bytes) {
  State& s = *state_;
  s.parser.on_body = [this](std::string_view piece) {
    if (!state_->head_told) {
      state_->head_told = true;
      if (on_head && !on_head(state_->parser.head)) return false;
    }
    return !on_body || on_body(piece);
  };
  const error_code error = PutAll(s.parser, s.pending, bytes, [] { return true; });
  if (error == http::error::body_limit) {
    s.error = "stopped";
    return ParseState::kFailed;
  }
  if (error) {
    s.error = error.message();
    return ParseState::kFailed;
  }
  if (s.parser.header_done && !s.head_told) {
    s.head_told = true;
    if (on_head && !on_head(s.parser.head)) {
      s.error = "stopped";
      return ParseState::kFailed;
    }
  }
  if (s.parser.is_done()) return ParseState::kDone;
  return s.parser.header_done ? ParseState::kBody : ParseState::kHeaders;
}

ParseState ResponseParser::FeedEof() {
  error_code error;
  if (!state_->parser.header_done) {
    state_->error = "connection closed before the answer";
    return ParseState::kFailed;
  }
  state_->parser.put_eof(error);
  if (!error) return ParseState::kDone;
  state_->error = "connection closed in the middle of the answer";
  return ParseState::kFailed;
}

const Response& ResponseParser::head() const { return state_->parser.head; }
bool ResponseParser::keep_alive() const { return state_->parser.keep_alive(); }
const std::string& ResponseParser::error() const { return state_->error; }

}  // namespace pingti::net
