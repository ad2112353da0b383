// ApiKeys: who may ask, for what, and how much. Only sums of keys are kept, and every comparison
// takes the same time. A thread of its own looks every second whether the key file has changed, and
// takes it over whole or, where it is wrong, not at all; every five seconds it writes what the keys
// have used, so that a crash forgets at most that. Requests that have begun are not touched by a
// change. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "endpoints/route.h"
#include "observe/metrics.h"
#include "server/key_usage.h"

namespace pingti::server {

class ApiKeys final {
 public:
  struct Options {
    std::filesystem::path file;      // may be empty
    std::vector<std::string> lines;  // further lines of the same form
    std::filesystem::path
        usage_file;  // empty: beside the key file; usage of `lines` alone is not kept
    std::function<int64_t()> now_ms = {};  // since 1970; empty: the system's clock
  };
  // The error names the line, never the key. `metrics` outlives this.
  static Result<std::unique_ptr<ApiKeys>> Open(Options options, observe::Metrics& metrics);
  ~ApiKeys();  // writes the usage

  // Fixed at Open: a file from which the last key has gone lets nobody in.
  bool required() const { return required_; }

  struct Admission {
    Status status;     // 401, 403 or 429 where not ok
    std::string name;  // of the key, where it is one of ours
    int64_t retry_after_s = 0;
    std::vector<std::pair<std::string, std::string>> headers;
  };
  // Of a request with this Authorization header for a route; takes from the key's requests where
  // the route is heavy.
  Admission Admit(std::string_view authorization, const endpoints::RouteOptions& route);
  void Count(const std::string& name, const protocol::Usage& usage);
  // {"keys": [{"name", "hint", "scopes", "expires", limits, what is used}]}
  json::object Describe() const;

  // What the thread does each second, and at once in tests.
  void RereadIfChanged();

 private:
  using Entries = std::vector<KeyEntry>;
  struct FileState {
    int64_t changed_ns = 0;
    uintmax_t size = 0;
    uint64_t inode = 0;
    bool operator==(const FileState&) const = default;
  };
  ApiKeys(Options options, observe::Metrics& metrics);
  Result<std::shared_ptr<const Entries>> ReadEntries() const;
  FileState StateOfFile() const;
  std::shared_ptr<const Entries> entries() const;
  Status ReadUsage();
  Status SaveUsage();
  void Watch();

  Options options_;
  observe::Metrics& metrics_;
  bool required_ = false;
  std::mutex reread_mutex_;  // guards read_state_; taken before mutex_
  FileState read_state_;
  KeyUsage usage_;
  std::atomic<bool> usage_changed_{false};
  mutable std::mutex mutex_;  // guards entries_ and stop_
  std::shared_ptr<const Entries> entries_;
  bool stop_ = false;
  std::condition_variable wake_;
  std::thread thread_;  // only with a file
};

}  // namespace pingti::server
