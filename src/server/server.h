// Server: a model behind an OpenAI-compatible HTTP server. Start loads, listens and returns; Run is the whole life of
// a process: start, serve, drain on SIGTERM or SIGINT (a second one stops at once).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "server/options.h"

namespace pingti::runtime {
struct Bundle;
}

namespace pingti::server {

// What is worth telling once it listens.
struct ReadyInfo {
  std::string url;              // "http://127.0.0.1:8080"
  std::string model;            // the name that clients send
  std::string architecture;
  std::string kernel_level;     // "avx512_vnni"
  int threads = 0;
  int64_t context_length = 0;   // tokens
  size_t weight_bytes = 0;
  double load_seconds = 0;
  bool chat = false;            // the model has a chat template
  bool needs_key = false;
};

// Called on the thread that called Start or Run; any may be empty.
struct RunHooks {
  std::function<void(size_t bytes_done, size_t bytes_all)> on_load_progress;
  std::function<void(const ReadyInfo&)> on_ready;
  std::function<void(int32_t answers_under_way)> on_drain;
};

class Server final {
 public:
  static Result<std::unique_ptr<Server>> Start(const ServerOptions& options, const RunHooks& hooks);
  ~Server();  // stops at once where Drain was not called

  const ReadyInfo& info() const;
  uint16_t port() const;
  // Refuses new requests with 503, waits for the answers under way (options.drain_timeout_ms). True: all finished.
  bool Drain();
  // Cancels the answers under way, so that a Drain on another thread ends.
  void StopNow();
  int32_t answers_under_way() const;

 private:
  struct State;
  friend Result<std::unique_ptr<Server>> StartWithBundle(const ServerOptions& options, runtime::Bundle bundle);
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

Status Run(const ServerOptions& options, const RunHooks& hooks);

}  // namespace pingti::server
