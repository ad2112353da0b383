// AccessLog: one JSON line per request, written by a thread of its own. Write never blocks: when the ring is full the
// line is dropped and counted. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace pingti::observe {

// What is known of a request at its end. Never holds a key, a prompt or an answer.
struct AccessRecord {
  std::string request_id;
  std::string key_name;
  std::string method;
  std::string path;
  std::string peer;
  std::string model;
  std::string finish_reason;
  int32_t status = 0;
  int64_t prompt_tokens = -1;      // -1: not a generation
  int64_t cached_tokens = -1;
  int64_t completion_tokens = -1;
  double ttft_ms = -1;             // -1: no token was sent
  double duration_ms = 0;
  uint64_t body_bytes = 0;
};

class AccessLog final {
 public:
  static constexpr size_t kLinesMax = 8192;

  // "-": standard output; else a file, appended to.
  static Result<std::unique_ptr<AccessLog>> Open(const std::string& target);
  ~AccessLog();  // writes what is left

  void Write(AccessRecord record);
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  explicit AccessLog(std::FILE* file) : file_(file), thread_([this] { Run(); }) {}
  void Run();

  std::FILE* file_;
  std::mutex mutex_;                   // guards lines_ and stop_
  std::condition_variable wake_;
  std::vector<AccessRecord> lines_;
  bool stop_ = false;
  std::atomic<uint64_t> dropped_{0};
  std::thread thread_;
};

// The line without its line feed: {"ts": ..., "request_id": ...}; `time` in RFC 3339.
std::string FormatAccessLine(const AccessRecord& record, const std::string& time);

}  // namespace pingti::observe
