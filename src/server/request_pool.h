// RequestPool: a few threads that parse, render and tokenise requests, so that neither sockets nor the engine wait for
// that. The queue is bounded. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pingti::server {

class RequestPool final {
 public:
  struct Options {
    int threads = 1;
    size_t queue_max = 4096;
  };
  explicit RequestPool(const Options& options);
  ~RequestPool();  // drops what waits

  // false: the queue is full.
  bool Submit(std::function<void()> task);

 private:
  void Run();

  size_t queue_max_;
  std::mutex mutex_;  // guards queue_ and stop_
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace pingti::server
