// Loop: one thread that waits for sockets and timers and runs tasks in order. Everything in net/ that is not marked
// thread-safe runs on its Loop's thread. The sockets' library stays behind this header and transport.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/executor.h"

namespace pingti::net {

class Loop final : public Executor {
 public:
  Loop();
  ~Loop() override;  // stops and joins
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs on a thread of its own ...
  void Start();
  // ... or on the caller's, until Stop.
  void Run();
  void Stop();  // thread-safe
  void Join();  // waits for the end of the thread that Start made

  void Post(std::function<void()> task) override;  // thread-safe
  bool OnThread() const;                           // thread-safe

  // Calls `task` every `period_ms` until Stop. Call before Start or on the thread.
  void Every(int64_t period_ms, std::function<void()> task);
  // Calls `task` once.
  void After(int64_t delay_ms, std::function<void()> task);

  // The boost::asio::io_context, for transport.cc.
  void* io_context();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Milliseconds of a clock that never goes back.
int64_t NowMs();

}  // namespace pingti::net
