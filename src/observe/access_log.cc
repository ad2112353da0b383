#include "observe/access_log.h"

#include <chrono>
#include <cmath>
#include <ctime>

#include "base/json.h"

namespace pingti::observe {

namespace {

constexpr auto kFlushEvery = std::chrono::milliseconds(100);

std::string Now() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char day[32];
  std::strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &utc);
  char text[48];
  std::snprintf(text, sizeof(text), "%s.%03dZ", day, static_cast<int>(millis));
  return text;
}

json::value Rounded(double milliseconds) { return std::round(milliseconds * 1000) / 1000; }

}  // namespace

std::string FormatAccessLine(const AccessRecord& record, const std::string& time) {
  json::object line;
  line["ts"] = time;
  line["request_id"] = record.request_id;
  if (!record.key_name.empty()) line["key"] = record.key_name;
  line["peer"] = record.peer;
  line["method"] = record.method;
  line["path"] = record.path;
  line["status"] = record.status;
  line["duration_ms"] = Rounded(record.duration_ms);
  line["bytes"] = record.body_bytes;
  if (!record.model.empty()) line["model"] = record.model;
  if (record.prompt_tokens >= 0) line["prompt_tokens"] = record.prompt_tokens;
  if (record.cached_tokens >= 0) line["cached_tokens"] = record.cached_tokens;
  if (record.completion_tokens >= 0) line["completion_tokens"] = record.completion_tokens;
  if (record.ttft_ms >= 0) line["ttft_ms"] = Rounded(record.ttft_ms);
  if (!record.finish_reason.empty()) line["finish_reason"] = record.finish_reason;
  return ToJson(line);
}

Result<std::unique_ptr<AccessLog>> AccessLog::Open(const std::string& target) {
  std::FILE* file = target == "-" ? stdout : std::fopen(target.c_str(), "ae");
  if (file == nullptr) return InvalidArgument("cannot write the access log " + target, "access_log");
  return std::unique_ptr<AccessLog>(new AccessLog(file));
}

AccessLog::~AccessLog() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (file_ != stdout) std::fclose(file_);
}

void AccessLog::Write(AccessRecord record) {
  std::lock_guard lock(mutex_);
  if (lines_.size() >= kLinesMax) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  lines_.push_back(std::move(record));
}

void AccessLog::Run() {
  bool stop = false;
  std::vector<AccessRecord> batch;
  while (!stop) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, kFlushEvery, [this] { return stop_; });
      stop = stop_;
      batch.swap(lines_);
    }
    if (batch.empty()) continue;
    std::string text;
    const std::string time = Now();
    for (const AccessRecord& record : batch) text += FormatAccessLine(record, time) + "\n";
    std::fwrite(text.data(), 1, text.size(), file_);
    std::fflush(file_);
    batch.clear();
  }
}

}  // namespace pingti::observe
