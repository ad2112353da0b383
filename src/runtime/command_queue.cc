#include "runtime/command_queue.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace pingti::runtime {

Status CommandQueue::Submit(std::unique_ptr<ActiveRequest> request) {
  {
    const std::lock_guard lock(mutex_);
    if (refusing_ || commands_.closed)
      return Unavailable("the engine is shutting down and takes no new requests");
    const int64_t waiting = static_cast<int64_t>(commands_.submitted.size()) + waiting_in_engine_;
    if (waiting >= waiting_max_) {
      return ResourceExhausted(
          fmt::format("{} requests are waiting; the queue holds {}", waiting, waiting_max_));
    }
    if (!live_.insert(request->request.id).second) {
      return InvalidArgument(
          fmt::format("a request with id \"{}\" is being served already", request->request.id),
          "id");
    }
    commands_.submitted.push_back(std::move(request));
  }
  arrived_.notify_one();
  return Status::Ok();
}

void CommandQueue::Cancel(std::string_view id) {
  {
    const std::lock_guard lock(mutex_);
    std::string name(id);
    if (!live_.contains(name)) return;
    commands_.cancelled.push_back(std::move(name));
  }
  arrived_.notify_one();
}

void CommandQueue::RefuseNew() {
  const std::lock_guard lock(mutex_);
  refusing_ = true;
}

bool CommandQueue::WaitUntilIdle(int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                        [this] { return live_.empty(); });
}

void CommandQueue::Close() {
  {
    const std::lock_guard lock(mutex_);
    commands_.closed = true;
  }
  arrived_.notify_one();
}

CommandQueue::Commands CommandQueue::Take(int64_t wait_ms, int32_t waiting) {
  std::unique_lock lock(mutex_);
  if (wait_ms > 0) {
    arrived_.wait_for(lock, std::chrono::milliseconds(wait_ms), [this] {
      return commands_.closed || !commands_.submitted.empty() || !commands_.cancelled.empty();
    });
  }
  Commands taken;
  taken.submitted.swap(commands_.submitted);
  taken.cancelled.swap(commands_.cancelled);
  taken.closed = commands_.closed;
  waiting_in_engine_ = waiting + static_cast<int32_t>(taken.submitted.size());
  return taken;
}

void CommandQueue::OnEnded(const std::string& id) {
  const std::lock_guard lock(mutex_);
  live_.erase(id);
  if (live_.empty()) idle_.notify_all();
}

}  // namespace pingti::runtime
