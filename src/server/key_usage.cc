#include "server/key_usage.h"

#include <algorithm>
#include <cmath>

namespace pingti::server {

namespace {

constexpr int64_t kMinuteMs = 60'000;
constexpr int64_t kDayMs = 86'400'000;

int64_t CeilSeconds(int64_t ms) { return std::max<int64_t>(1, (ms + 999) / 1000); }

void AddLimitHeaders(QuotaVerdict& verdict, const char* what, int64_t limit, int64_t remaining,
                     int64_t reset_ms) {
  const std::string suffix = std::string("-") + what;
  verdict.headers.emplace_back("x-ratelimit-limit" + suffix, std::to_string(limit));
  verdict.headers.emplace_back("x-ratelimit-remaining" + suffix,
                               std::to_string(std::max<int64_t>(0, remaining)));
  verdict.headers.emplace_back("x-ratelimit-reset" + suffix, FormatReset(reset_ms));
}

void Refuse(QuotaVerdict& verdict, std::string message, int64_t wait_ms) {
  verdict.retry_after_s = CeilSeconds(wait_ms);
  verdict.status = ResourceExhausted(std::move(message) + " Please try again in " +
                                     FormatReset(verdict.retry_after_s * 1000) + ".");
}

}  // namespace

std::string FormatReset(int64_t ms) {
  if (ms < 1000) return std::to_string(std::max<int64_t>(0, ms)) + "ms";
  const int64_t seconds = (ms + 999) / 1000;
  std::string out;
  if (seconds >= 3600) out += std::to_string(seconds / 3600) + "h";
  if (seconds >= 60) out += std::to_string(seconds / 60 % 60) + "m";
  return out + std::to_string(seconds % 60) + "s";
}

QuotaVerdict KeyUsage::TakeRequest(const KeyEntry& entry, int64_t now_ms) {
  QuotaVerdict verdict;
  std::lock_guard lock(mutex_);
  Counts& counts = counts_[entry.name];
  if (entry.tokens_per_day > 0) {
    const int64_t used = TokensOn(counts, now_ms / kDayMs);
    const int64_t until_midnight = kDayMs - now_ms % kDayMs;
    AddLimitHeaders(verdict, "tokens", entry.tokens_per_day, entry.tokens_per_day - used,
                    until_midnight);
    if (used >= entry.tokens_per_day) {
      Refuse(verdict,
             "Rate limit reached for this API key on tokens per day (UTC): limit " +
                 std::to_string(entry.tokens_per_day) + ", used " + std::to_string(used) + ".",
             until_midnight);
      return verdict;
    }
  }
  if (entry.requests_per_minute > 0) {
    const auto limit = static_cast<double>(entry.requests_per_minute);
    const double per_ms = limit / kMinuteMs;
    const double refill =
        counts.bucket_ms == 0 ? limit : per_ms * static_cast<double>(now_ms - counts.bucket_ms);
    counts.bucket = std::clamp(counts.bucket + refill, 0.0, limit);
    counts.bucket_ms = now_ms;
    const bool allowed = counts.bucket >= 1;
    if (allowed) counts.bucket -= 1;
    const auto until_full = static_cast<int64_t>(std::ceil((limit - counts.bucket) / per_ms));
    AddLimitHeaders(verdict, "requests", entry.requests_per_minute,
                    static_cast<int64_t>(counts.bucket), until_full);
    if (!allowed) {
      Refuse(verdict,
             "Rate limit reached for this API key on requests per minute: limit " +
                 std::to_string(entry.requests_per_minute) + ".",
             static_cast<int64_t>(std::ceil((1 - counts.bucket) / per_ms)));
      return verdict;
    }
  }
  ++counts.requests;
  return verdict;
}

void KeyUsage::AddTokens(const std::string& name, const protocol::Usage& usage, int64_t now_ms) {
  std::lock_guard lock(mutex_);
  Counts& counts = counts_[name];
  const int64_t day = now_ms / kDayMs;
  counts.tokens_today = TokensOn(counts, day) + usage.prompt_tokens + usage.completion_tokens;
  counts.day = day;
  counts.prompt_tokens += usage.prompt_tokens;
  counts.completion_tokens += usage.completion_tokens;
}

json::object KeyUsage::Describe(const std::string& name, int64_t now_ms) const {
  std::lock_guard lock(mutex_);
  const auto found = counts_.find(name);
  const Counts counts = found == counts_.end() ? Counts() : found->second;
  return {{"requests", counts.requests},
          {"prompt_tokens", counts.prompt_tokens},
          {"completion_tokens", counts.completion_tokens},
          {"tokens_today", TokensOn(counts, now_ms / kDayMs)}};
}

json::object KeyUsage::ToJson() const {
  std::lock_guard lock(mutex_);
  json::object keys;
  for (const auto& [name, counts] : counts_) {
    keys[name] = json::object{{"requests", counts.requests},
                              {"prompt_tokens", counts.prompt_tokens},
                              {"completion_tokens", counts.completion_tokens},
                              {"day", counts.day},
                              {"tokens_today", counts.tokens_today}};
  }
  return {{"version", 1}, {"keys", std::move(keys)}};
}

Status KeyUsage::FromJson(const json::value& value) {
  const auto bad = [](const std::string& what) {
    return DataLoss("the usage of API keys: " + what, "key_usage_file");
  };
  const json::object* top = value.if_object();
  const json::value* keys = top == nullptr ? nullptr : top->if_contains("keys");
  if (keys == nullptr || !keys->is_object()) return bad("wanted an object with 'keys'");
  std::map<std::string, Counts> read;
  for (const auto& entry : keys->get_object()) {
    const json::object* object = entry.value().if_object();
    if (object == nullptr) return bad("'" + std::string(entry.key()) + "' is no object");
    const auto number = [&](const char* name, int64_t& target) {
      const json::value* field = object->if_contains(name);
      if (field == nullptr || !field->is_int64() || field->get_int64() < 0) return false;
      target = field->get_int64();
      return true;
    };
    Counts& counts = read[std::string(entry.key())];
    if (!number("requests", counts.requests) || !number("prompt_tokens", counts.prompt_tokens) ||
        !number("completion_tokens", counts.completion_tokens) || !number("day", counts.day) ||
        !number("tokens_today", counts.tokens_today)) {
      return bad("'" + std::string(entry.key()) + "' lacks a count");
    }
  }
  std::lock_guard lock(mutex_);
  counts_ = std::move(read);
  return Status::Ok();
}

}  // namespace pingti::server
