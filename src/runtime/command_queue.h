// CommandQueue: the only way into the engine's thread: submissions (bounded), cancellations (of
// requests that live, so bounded too) and the end. It also knows which requests live, so that
// Submit can refuse and Drain can wait without asking the engine. All methods are thread-safe; one
// lock, held for moments, guards all members.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/status.h"
#include "runtime/choice.h"

namespace pingti::runtime {

class CommandQueue final {
 public:
  explicit CommandQueue(int32_t waiting_max) : waiting_max_(waiting_max) {}

  // Any thread.
  Status Submit(std::unique_ptr<ActiveRequest> request);
  void Cancel(std::string_view id);
  void RefuseNew();                        // from now on: Unavailable
  bool WaitUntilIdle(int64_t timeout_ms);  // true: no request lives
  void Close();                            // the engine's thread is to end

  struct Commands {
    std::vector<std::unique_ptr<ActiveRequest>> submitted;
    std::vector<std::string> cancelled;
    bool closed = false;
  };
  // The engine's thread: all that has come. Waits up to `wait_ms` for something where there is
  // nothing; `waiting` is the number of sequences that wait in the engine.
  Commands Take(int64_t wait_ms, int32_t waiting);
  // The engine's thread: a request has had its last event.
  void OnEnded(const std::string& id);

 private:
  const int32_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable idle_;
  Commands commands_;
  std::unordered_set<std::string> live_;
  int32_t waiting_in_engine_ = 0;
  bool refusing_ = false;
};

}  // namespace pingti::runtime
