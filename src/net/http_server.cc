#include "net/http_server.h"

#include <chrono>
#include <thread>
#include <vector>

#include "net/connection.h"

namespace pingti::net {

namespace {

constexpr int64_t kSweepMs = 250;  // how finely timeouts are kept

}  // namespace

struct HttpServer::State {
  HttpServerOptions options;
  Handler handler;
  ErrorPage error_page;
  std::vector<std::unique_ptr<LoopShared>> shared;  // outlives the loops: callbacks in their queues refer to it
  std::atomic<int64_t> open{0};
  std::atomic<uint64_t> opened{0};
  std::atomic<uint64_t> sent{0};
  std::atomic<uint64_t> received{0};
  std::atomic<int64_t> unsent{0};
  std::atomic<int64_t> answering{0};
  std::vector<std::unique_ptr<Loop>> loops;
  std::unique_ptr<Listener> listener;

  void OnAccept(TransportPtr transport, size_t index) {
    LoopShared& mine = *shared[index];
    opened.fetch_add(1, std::memory_order_relaxed);
    const bool full = open.load(std::memory_order_relaxed) >= options.connections_max;
    auto connection = std::make_shared<Connection>(mine, std::move(transport));
    mine.connections.insert(connection);
    if (full) return connection->Refuse();
    connection->Start();
  }

  static void Sweep(LoopShared& mine) {
    const int64_t now = NowMs();
    // Copied: closing takes a connection out of the set.
    const std::vector<std::shared_ptr<Connection>> all(mine.connections.begin(), mine.connections.end());
    for (const auto& connection : all) connection->CheckDeadline(now);
  }

  void MakeLoops() {
    for (int i = 0; i < options.loops; ++i) {
      loops.push_back(std::make_unique<Loop>());
      auto& mine = *shared.emplace_back(std::make_unique<LoopShared>());
      mine.loop = loops.back().get();
      mine.options = &options;
      mine.handler = &handler;
      mine.error_page = &error_page;
      mine.open = &open;
      mine.sent = &sent;
      mine.received = &received;
      mine.unsent = &unsent;
      mine.answering = &answering;
      loops.back()->Every(kSweepMs, [&mine] { Sweep(mine); });
    }
  }
};

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options, Handler handler,
                                                      ErrorPage error_page) {
  PT_CHECK(options.loops >= 1, "a server needs a loop");
  auto state = std::make_shared<State>();
  state->options = options;
  state->handler = std::move(handler);
  state->error_page = std::move(error_page);
  state->MakeLoops();
  std::vector<Loop*> loops;
  for (const auto& loop : state->loops) loops.push_back(loop.get());
  PT_ASSIGN(
      state->listener,
      Listener::Open({.host = options.host, .port = options.port, .tls = options.tls}, loops,
                           [raw = state.get()](TransportPtr transport, size_t index) {
                             raw->OnAccept(std::move(transport), index);
                           }));
  for (const auto& loop : state->loops) loop->Start();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::HttpServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() {
  state_->listener->Close();
  CloseAll();
  for (const auto& mine : state_->shared) {
    // Posted twice: what the closing has queued is run before the end.
    mine->loop->Post([&loop = *mine->loop] { loop.Post([&loop] { loop.Stop(); }); });
  }
  for (const auto& loop : state_->loops) loop->Join();
}

void HttpServer::CloseAll() {
  for (const auto& mine : state_->shared) {
    mine->loop->Post([&shared = *mine] {
      const std::vector<std::shared_ptr<Connection>> all(shared.connections.begin(), shared.connections.end());
      for (const auto& connection : all) connection->Drop();
    });
  }
}

uint16_t HttpServer::port() const { return state_->listener->port(); }

HttpServerStats HttpServer::stats() const {
  return {.connections = state_->open.load(std::memory_order_relaxed),
          .connections_total = state_->opened.load(std::memory_order_relaxed),
          .bytes_sent = state_->sent.load(std::memory_order_relaxed),
          .bytes_received = state_->received.load(std::memory_order_relaxed)};
}

void HttpServer::CloseAfterAnswers() {
  for (const auto& mine : state_->shared) {
    mine->loop->Post([&shared = *mine] {
      shared.closing = true;
      const std::vector<std::shared_ptr<Connection>> all(shared.connections.begin(), shared.connections.end());
      for (const auto& connection : all) connection->CloseIfIdle();
    });
  }
}

bool HttpServer::WaitUntilAnswered(int64_t timeout_ms) {
  constexpr int64_t kPollMs = 5;
  const auto idle = [this] { return state_->answering.load() == 0 && state_->unsent.load() == 0; };
  for (const int64_t end = NowMs() + timeout_ms; NowMs() < end;) {
    if (idle()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
  }
  return idle();
}

}  // namespace pingti::net
