#include "net/connection.h"

#include <ctime>

#include "net/exchange_id.h"

namespace pingti::net {

namespace {

constexpr size_t kReadBytes = 8 << 10;

void AppendHex(std::string& out, size_t value) {
  char digits[2 * sizeof(value)];
  int count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % 16];
    value /= 16;
  } while (value != 0);
  while (count > 0) out.push_back(digits[--count]);
}

bool BodyAllowed(int32_t status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace

Connection::Connection(LoopShared& shared, TransportPtr transport)
    : shared_(shared),
      transport_(std::move(transport)),
      parser_({.header_bytes_max = shared.options->header_bytes_max, .body_bytes_max = shared.options->body_bytes_max}),
      read_buffer_(new char[kReadBytes]) {
  shared_.open->fetch_add(1, std::memory_order_relaxed);
}

Connection::~Connection() { shared_.open->fetch_sub(1, std::memory_order_relaxed); }

void Connection::Start() {
  deadline_ms_ = NowMs() + shared_.options->header_timeout_ms;
  transport_->Handshake([self = shared_from_this()](const IoResult& result) {
    if (!result.ok()) return self->Close();
    if (self->phase_ != Phase::kHandshake) return;
    self->phase_ = Phase::kReading;
    self->StartRead();
  });
}

void Connection::Refuse() {
  deadline_ms_ = NowMs() + shared_.options->header_timeout_ms;
  transport_->Handshake([self = shared_from_this()](const IoResult& result) {
    if (!result.ok() || self->phase_ != Phase::kHandshake) return self->Close();
    self->phase_ = Phase::kReading;
    self->RefuseRequest(503, "too many connections");
  });
}

void Connection::StartRead() {
  if (reading_ || phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kAnswering && ahead_.size() >= shared_.options->pipelined_bytes_max) return;
  reading_ = true;
  transport_->Read(read_buffer_.get(), kReadBytes, [self = shared_from_this()](const IoResult& result) {
    self->reading_ = false;
    self->OnRead(result);
  });
}

void Connection::OnRead(const IoResult& result) {
  if (phase_ == Phase::kClosed) return;
  if (!result.ok()) return ClientGone();
  shared_.received->fetch_add(result.bytes, std::memory_order_relaxed);
  const std::string_view bytes(read_buffer_.get(), result.bytes);
  switch (phase_) {
    case Phase::kReading:
      // Pipelined bytes that wait for their turn come first.
      if (!ahead_.empty()) {
        ahead_.append(bytes);
      } else {
        Consume(bytes);
      }
      break;
    case Phase::kAnswering: ahead_.append(bytes); break;
    default: break;  // lingering: what still comes is thrown away
  }
  StartRead();
}

void Connection::Consume(std::string_view bytes) {
  const bool was_started = parser_.started();
  const ParseState state = parser_.Feed(bytes);
  if (!was_started && parser_.started()) deadline_ms_ = NowMs() + shared_.options->header_timeout_ms;
  switch (state) {
    case ParseState::kHeaders: return;
    case ParseState::kFailed: return RefuseRequest(parser_.error_status(), parser_.error());
    case ParseState::kBody:
      if (!continue_sent_) {
        // Once per request: the headers have just become complete.
        continue_sent_ = true;
        deadline_ms_ = NowMs() + shared_.options->body_timeout_ms;
        if (parser_.wants_continue()) Send("HTTP/1.1 100 Continue\r\n\r\n");
      }
      return;
    case ParseState::kDone:
      ahead_.assign(bytes);
      return Dispatch();
  }
}

void Connection::Dispatch() {
  Request request = parser_.Take();
  request.peer = transport_->peer();
  phase_ = Phase::kAnswering;
  shared_.answering->fetch_add(1, std::memory_order_relaxed);
  deadline_ms_ = 0;
  ++serial_;
  continue_sent_ = false;
  head_request_ = request.method == "HEAD";
  version_ = request.version;
  keep_alive_ = request.keep_alive;
  head_sent_ = chunked_ = answer_complete_ = false;
  body_bytes_ = 0;
  heartbeat_.clear();
  auto exchange = std::make_shared<ExchangeImpl>(shared_from_this(), serial_, std::move(request));
  exchange_ = exchange;
  // The one catch of a connection: a handler that throws costs its own request only (its Exchange answers 500).
  try {
    (*shared_.handler)(std::move(exchange));
  } catch (const std::exception&) {
    keep_alive_ = false;
  }
}

void Connection::RefuseRequest(int32_t status, const std::string& why) {
  phase_ = Phase::kAnswering;
  shared_.answering->fetch_add(1, std::memory_order_relaxed);
  ++serial_;
  exchange_.reset();
  keep_alive_ = false;
  head_request_ = head_sent_ = chunked_ = answer_complete_ = false;
  Respond(serial_, (*shared_.error_page)(status, why));
}

const std::string& Connection::Date() {
  const int64_t now = NowMs();
  if (shared_.date.empty() || now - shared_.date_made_ms >= 1000) {
    const std::time_t seconds = std::time(nullptr);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[64];
    const size_t size = std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    shared_.date.assign(text, size);
    shared_.date_made_ms = now;
  }
  return shared_.date;
}

void Connection::SendHead(const Response& head, bool has_length) {
  status_ = head.status;
  head_sent_ = true;
  if (shared_.closing) keep_alive_ = false;
  std::string out = "HTTP/1.1 " + std::to_string(head.status) + " ";
  out += StatusText(head.status);
  out += "\r\nDate: " + Date() + "\r\n";
  for (const Header& header : head.headers.list()) {
    // A line break in a value would begin a header of the sender's choice.
    if (header.value.find_first_of("\r\n") != std::string::npos) continue;
    out += header.name + ": " + header.value + "\r\n";
  }
  if (has_length) {
    if (BodyAllowed(head.status)) out += "Content-Length: " + std::to_string(head.body.size()) + "\r\n";
  } else if (version_ >= 11) {
    chunked_ = true;
    out += "Transfer-Encoding: chunked\r\n";
  } else {
    keep_alive_ = false;  // HTTP/1.0: the end of the connection is the end of the body
  }
  if (!keep_alive_) {
    out += "Connection: close\r\n";
  } else if (version_ == 10) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  Send(out);
}

void Connection::Keep(std::shared_ptr<ExchangeImpl> exchange) {
  if (Current(exchange->serial())) kept_ = std::move(exchange);
}

void Connection::Respond(uint64_t serial, Response response) {
  if (!Current(serial) || head_sent_) return;
  SendHead(response, true);
  if (!head_request_ && BodyAllowed(response.status)) {
    body_bytes_ = response.body.size();
    Send(response.body);
  }
  EndAnswer();
}

void Connection::AnswerMissing(uint64_t serial) {
  Respond(serial, (*shared_.error_page)(500, "the request was dropped without an answer"));
}

void Connection::StartStream(uint64_t serial, Response head) {
  if (!Current(serial) || head_sent_) return;
  SendHead(head, false);
  if (!head.body.empty()) Write(serial, std::move(head.body));
}

void Connection::Write(uint64_t serial, std::string bytes) {
  if (!Current(serial) || !head_sent_ || bytes.empty()) return;
  body_bytes_ += bytes.size();
  if (!heartbeat_.empty()) written_ms_ = NowMs();
  if (head_request_) return;
  if (unsent_.size() + bytes.size() > shared_.options->unsent_bytes_max) return ClientGone();
  if (chunked_) {
    std::string framed;
    framed.reserve(bytes.size() + 24);
    AppendHex(framed, bytes.size());
    framed += "\r\n";
    framed += bytes;
    framed += "\r\n";
    return Send(framed);
  }
  Send(bytes);
}

void Connection::SetHeartbeat(uint64_t serial, std::string bytes, int64_t period_ms) {
  if (!Current(serial) || period_ms <= 0) return;
  heartbeat_ = std::move(bytes);
  heartbeat_period_ms_ = period_ms;
  written_ms_ = NowMs();
}

void Connection::Finish(uint64_t serial) {
  if (!Current(serial) || !head_sent_ || answer_complete_) return;
  if (chunked_ && !head_request_) Send("0\r\n\r\n");
  EndAnswer();
}

void Connection::Abort(uint64_t serial) {
  if (Current(serial)) ClientGone();
}

void Connection::Send(std::string_view bytes) {
  shared_.unsent->fetch_add(static_cast<int64_t>(bytes.size()), std::memory_order_relaxed);
  unsent_.append(bytes);
  if (!writing_) StartWrite();
}

void Connection::StartWrite() {
  if (phase_ == Phase::kClosed || writing_) return;
  if (sending_done_ == sending_.size()) {
    if (unsent_.empty()) return;
    sending_.swap(unsent_);
    unsent_.clear();
    sending_done_ = 0;
  }
  writing_ = true;
  deadline_ms_ = NowMs() + shared_.options->write_timeout_ms;
  transport_->Write(sending_.data() + sending_done_, sending_.size() - sending_done_,
                    [self = shared_from_this()](const IoResult& result) {
                      self->writing_ = false;
                      self->OnWritten(result);
                    });
}

void Connection::OnWritten(const IoResult& result) {
  if (phase_ == Phase::kClosed) return;
  if (!result.ok()) return ClientGone();
  shared_.sent->fetch_add(result.bytes, std::memory_order_relaxed);
  shared_.unsent->fetch_sub(static_cast<int64_t>(result.bytes), std::memory_order_relaxed);
  sending_done_ += result.bytes;
  if (sending_done_ == sending_.size() && unsent_.empty()) {
    sending_.clear();
    sending_done_ = 0;
    deadline_ms_ = phase_ == Phase::kReading ? NowMs() + shared_.options->body_timeout_ms : 0;
    if (phase_ == Phase::kAnswering && answer_complete_) NextRequest();
    return;
  }
  StartWrite();
}

void Connection::EndAnswer() {
  answer_complete_ = true;
  if (!writing_ && unsent_.empty()) NextRequest();
}

void Connection::NextRequest() {
  shared_.answering->fetch_sub(1, std::memory_order_relaxed);
  if (auto exchange = exchange_.lock()) exchange->Done(status_, body_bytes_);
  exchange_.reset();
  kept_.reset();
  if (!keep_alive_ || shared_.closing) return Linger();
  phase_ = Phase::kReading;
  deadline_ms_ = NowMs() + shared_.options->idle_timeout_ms;
  // Posted, so that a long row of pipelined requests neither recurses nor starves the other connections.
  if (!ahead_.empty()) {
    shared_.loop->Post([self = shared_from_this(), serial = serial_] {
      if (self->phase_ != Phase::kReading || self->serial_ != serial || self->ahead_.empty()) return;
      const std::string bytes = std::move(self->ahead_);
      self->ahead_.clear();
      self->Consume(bytes);
      self->StartRead();
    });
    return;
  }
  StartRead();
}

void Connection::Linger() {
  // Closing with unread bytes would reset the connection and take the answer with it.
  phase_ = Phase::kLingering;
  deadline_ms_ = NowMs() + shared_.options->linger_ms;
  transport_->ShutdownSend();
  StartRead();
}

void Connection::ClientGone() {
  auto exchange = exchange_.lock();
  const bool answering = phase_ == Phase::kAnswering;
  const int32_t status = head_sent_ ? status_ : 499;
  Close();
  if (exchange && answering) {
    exchange->ClientGone();
    exchange->Done(status, body_bytes_);
  }
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kAnswering) shared_.answering->fetch_sub(1, std::memory_order_relaxed);
  phase_ = Phase::kClosed;
  kept_.reset();
  transport_->Close();
  const size_t left = sending_.size() - sending_done_ + unsent_.size();
  shared_.unsent->fetch_sub(static_cast<int64_t>(left), std::memory_order_relaxed);
  shared_.connections.erase(shared_from_this());
}

void Connection::CloseIfIdle() {
  if (phase_ == Phase::kReading && !parser_.started() && !writing_) Close();
}

void Connection::CheckDeadline(int64_t now_ms) {
  if (!heartbeat_.empty() && phase_ == Phase::kAnswering && head_sent_ && !answer_complete_ && !writing_ &&
      now_ms - written_ms_ >= heartbeat_period_ms_) {
    Write(serial_, heartbeat_);
  }
  if (deadline_ms_ == 0 || now_ms < deadline_ms_) return;
  if (phase_ == Phase::kReading && parser_.started() && !writing_) {
    deadline_ms_ = 0;
    return RefuseRequest(408, "the request did not arrive in time");
  }
  ClientGone();
}

ExchangeImpl::ExchangeImpl(std::shared_ptr<Connection> connection, uint64_t serial, Request request)
    : connection_(std::move(connection)),
      serial_(serial),
      request_(std::move(request)),
      request_id_(RequestId(request_.headers.Get("x-request-id"))) {}

ExchangeImpl::~ExchangeImpl() {
  if (answered_ || gone_) return;
  connection_->loop().Post([connection = connection_, serial = serial_] { connection->AnswerMissing(serial); });
}

template <typename F>
void ExchangeImpl::OnLoop(F&& f) {
  if (connection_->loop().OnThread()) return f();
  connection_->loop().Post(std::forward<F>(f));
}

void ExchangeImpl::Post(std::function<void()> task) { connection_->loop().Post(std::move(task)); }

void ExchangeImpl::AddHeader(std::string name, std::string value) { extra_.Set(std::move(name), std::move(value)); }

void ExchangeImpl::MergeHeaders(Response& response) const {
  for (const Header& header : extra_.list()) {
    if (!response.headers.Has(header.name)) response.headers.Add(header.name, header.value);
  }
  response.headers.Set("x-request-id", request_id_);
}

void ExchangeImpl::Respond(Response response) {
  if (answered_.exchange(true)) return;
  MergeHeaders(response);
  OnLoop([self = shared_from_this(), response = std::move(response)]() mutable {
    self->connection_->Keep(self);
    self->connection_->Respond(self->serial_, std::move(response));
  });
}

void ExchangeImpl::StartStream(Response head) {
  if (answered_.exchange(true)) return;
  MergeHeaders(head);
  OnLoop([self = shared_from_this(), head = std::move(head)]() mutable {
    self->connection_->Keep(self);
    self->connection_->StartStream(self->serial_, std::move(head));
  });
}

void ExchangeImpl::Write(std::string bytes) {
  if (gone_) return;
  OnLoop([self = shared_from_this(), bytes = std::move(bytes)]() mutable {
    self->connection_->Write(self->serial_, std::move(bytes));
  });
}

void ExchangeImpl::SetHeartbeat(std::string bytes, int64_t period_ms) {
  OnLoop([self = shared_from_this(), bytes = std::move(bytes), period_ms]() mutable {
    self->connection_->SetHeartbeat(self->serial_, std::move(bytes), period_ms);
  });
}

void ExchangeImpl::Finish() {
  OnLoop([self = shared_from_this()] { self->connection_->Finish(self->serial_); });
}

void ExchangeImpl::Abort() {
  OnLoop([self = shared_from_this()] { self->connection_->Abort(self->serial_); });
}

void ExchangeImpl::OnDisconnect(std::function<void()> on_gone) {
  OnLoop([self = shared_from_this(), on_gone = std::move(on_gone)]() mutable {
    if (self->gone_) return on_gone();
    if (!self->done_) self->on_gone_ = std::move(on_gone);
  });
}

void ExchangeImpl::OnDone(std::function<void(int32_t, uint64_t)> on_done) {
  OnLoop([self = shared_from_this(), on_done = std::move(on_done)]() mutable {
    if (!self->done_) self->on_done_ = std::move(on_done);
  });
}

void ExchangeImpl::ClientGone() {
  gone_ = true;
  if (auto on_gone = std::move(on_gone_)) on_gone();
}

void ExchangeImpl::Done(int32_t status, uint64_t body_bytes) {
  if (done_) return;
  done_ = true;
  // The callbacks usually hold this exchange: letting them go ends the circle.
  on_gone_ = nullptr;
  if (auto on_done = std::move(on_done_)) on_done(status, body_bytes);
}

}  // namespace pingti::net
