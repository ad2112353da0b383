// Connection: one client's socket: reads requests, hands each to the server's handler, sends the answers in order.
// Internal to net/. Lives on one Loop's thread; the Exchange that it hands out is thread-safe.
//
//   reading --request complete--> answering --answer sent--> reading | lingering --> closed
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

#include "net/http_server.h"
#include "net/message_parser.h"

namespace pingti::net {

class Connection;
class ExchangeImpl;

// What the connections of one Loop share; used on its thread only, counters apart.
struct LoopShared {
  Loop* loop = nullptr;
  const HttpServerOptions* options = nullptr;
  const HttpServer::Handler* handler = nullptr;
  const HttpServer::ErrorPage* error_page = nullptr;
  std::unordered_set<std::shared_ptr<Connection>> connections;
  bool closing = false;                  // connections end with their answer
  std::string date;                      // the Date header's value
  int64_t date_made_ms = -1;
  std::atomic<int64_t>* open = nullptr;
  std::atomic<uint64_t>* sent = nullptr;
  std::atomic<uint64_t>* received = nullptr;
  std::atomic<int64_t>* unsent = nullptr;     // bytes accepted by Write and not yet sent
  std::atomic<int64_t>* answering = nullptr;  // requests that are not answered yet
};

class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(LoopShared& shared, TransportPtr transport);
  ~Connection();

  void Start();                  // handshake, then the first read
  void Refuse();                 // 503, too many connections
  void Close();
  void Drop() { ClientGone(); }  // closes and tells the handler, as if the client had gone
  void CloseIfIdle();
  void CheckDeadline(int64_t now_ms);
  Loop& loop() { return *shared_.loop; }

  // For ExchangeImpl, on the Loop's thread; `serial` names the request that is meant.
  void Keep(std::shared_ptr<ExchangeImpl> exchange);
  void Respond(uint64_t serial, Response response);
  void AnswerMissing(uint64_t serial);
  void StartStream(uint64_t serial, Response head);
  void Write(uint64_t serial, std::string bytes);
  void SetHeartbeat(uint64_t serial, std::string bytes, int64_t period_ms);
  void Finish(uint64_t serial);
  void Abort(uint64_t serial);

 private:
  enum class Phase : uint8_t { kHandshake, kReading, kAnswering, kLingering, kClosed };

  void StartRead();
  void OnRead(const IoResult& result);
  void Consume(std::string_view bytes);
  void Dispatch();
  void RefuseRequest(int32_t status, const std::string& why);
  void SendHead(const Response& head, bool has_length);
  void Send(std::string_view bytes);
  void StartWrite();
  void OnWritten(const IoResult& result);
  void EndAnswer();
  void NextRequest();
  void Linger();
  void ClientGone();
  bool Current(uint64_t serial) const { return serial == serial_ && phase_ == Phase::kAnswering; }
  const std::string& Date();

  LoopShared& shared_;
  TransportPtr transport_;
  RequestParser parser_;
  std::unique_ptr<char[]> read_buffer_;
  std::string ahead_;            // pipelined bytes, bounded
  std::string unsent_;           // waits for the write under way
  std::string sending_;          // of the write under way
  size_t sending_done_ = 0;
  Phase phase_ = Phase::kHandshake;
  bool reading_ = false;
  bool writing_ = false;
  bool continue_sent_ = false;
  // The answer under way.
  uint64_t serial_ = 0;
  std::weak_ptr<ExchangeImpl> exchange_;
  std::shared_ptr<ExchangeImpl> kept_;  // from the answer's begin to its end: its OnDone must be heard
  bool head_request_ = false;
  bool head_sent_ = false;
  bool chunked_ = false;
  bool answer_complete_ = false;
  bool keep_alive_ = true;
  int32_t version_ = 11;
  int32_t status_ = 0;
  uint64_t body_bytes_ = 0;
  int64_t deadline_ms_ = 0;      // 0: none
  std::string heartbeat_;
  int64_t heartbeat_period_ms_ = 0;
  int64_t written_ms_ = 0;       // when Write was last called
};

class ExchangeImpl final : public Exchange, public std::enable_shared_from_this<ExchangeImpl> {
 public:
  ExchangeImpl(std::shared_ptr<Connection> connection, uint64_t serial, Request request);
  ~ExchangeImpl() override;

  void Post(std::function<void()> task) override;
  const Request& request() const override { return request_; }
  const std::string& request_id() const override { return request_id_; }
  void AddHeader(std::string name, std::string value) override;
  void Respond(Response response) override;
  void StartStream(Response head) override;
  void Write(std::string bytes) override;
  void SetHeartbeat(std::string bytes, int64_t period_ms) override;
  void Finish() override;
  void Abort() override;
  void OnDisconnect(std::function<void()> on_gone) override;
  bool disconnected() const override { return gone_; }
  void OnDone(std::function<void(int32_t, uint64_t)> on_done) override;

  // By the connection, on the Loop's thread.
  uint64_t serial() const { return serial_; }
  void ClientGone();
  void Done(int32_t status, uint64_t body_bytes);

 private:
  template <typename F>
  void OnLoop(F&& f);
  void MergeHeaders(Response& response) const;

  std::shared_ptr<Connection> connection_;
  uint64_t serial_;
  Request request_;
  std::string request_id_;
  Headers extra_;                     // set before the answer begins
  std::atomic<bool> gone_ = false;
  std::atomic<bool> answered_ = false;
  bool done_ = false;
  std::function<void()> on_gone_;     // Loop's thread
  std::function<void(int32_t, uint64_t)> on_done_;
};

}  // namespace pingti::net
