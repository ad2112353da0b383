// KeyUsage: what each key has used, and whether it may use more. Requests have a bucket that fills
// evenly over a minute; tokens have a day of UTC. A request that has begun is finished, so that a
// key can go over its tokens by what it had under way. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "protocol/backend.h"
#include "server/key_entry.h"

namespace pingti::server {

// May this request go on? With what to tell the client of its limits, as OpenAI names the headers.
struct QuotaVerdict {
  Status status;  // ok or ResourceExhausted
  int64_t retry_after_s = 0;
  std::vector<std::pair<std::string, std::string>> headers;
};

class KeyUsage final {
 public:
  // Takes one request of the entry's minute.
  QuotaVerdict TakeRequest(const KeyEntry& entry, int64_t now_ms);
  void AddTokens(const std::string& name, const protocol::Usage& usage, int64_t now_ms);

  // {"requests", "prompt_tokens", "completion_tokens", "tokens_today"}
  json::object Describe(const std::string& name, int64_t now_ms) const;
  // Everything, to be read again after a restart.
  json::object ToJson() const;
  // The error names what is not as ToJson writes it.
  Status FromJson(const json::value& value);

 private:
  struct Counts {
    int64_t requests = 0;
    int64_t prompt_tokens = 0;
    int64_t completion_tokens = 0;
    int64_t day = 0;  // since 1970, of tokens_today
    int64_t tokens_today = 0;
    double bucket = 0;      // requests that may come at once
    int64_t bucket_ms = 0;  // when that was so; 0: full
  };
  static int64_t TokensOn(const Counts& counts, int64_t day) {
    return counts.day == day ? counts.tokens_today : 0;
  }

  mutable std::mutex mutex_;  // guards counts_
  std::map<std::string, Counts> counts_;
};

// "20ms", "1s", "6m0s", "17h3m5s", as OpenAI writes the time until a limit is whole again.
std::string FormatReset(int64_t ms);

}  // namespace pingti::server
