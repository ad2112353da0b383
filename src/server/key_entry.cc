#include "server/key_entry.h"

#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <set>

#include "endpoints/route.h"

namespace pingti::server {

namespace {

constexpr std::string_view kSpace = " \t\r";
constexpr std::string_view kSumPrefix = "sha256:";
constexpr int64_t kQuotaMax = 1'000'000'000'000;

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  for (line = Trim(line); !line.empty(); line = Trim(line)) {
    const size_t end = std::min(line.find_first_of(kSpace), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<KeySum> ParseSum(std::string_view hex) {
  KeySum sum{};
  if (hex.size() != 2 * sum.size()) return std::nullopt;
  for (size_t i = 0; i < sum.size(); ++i) {
    const int high = HexDigit(hex[2 * i]);
    const int low = HexDigit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    sum[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return sum;
}

std::optional<int64_t> ParseCount(std::string_view text, int64_t min, int64_t max) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max)
    return std::nullopt;
  return value;
}

Status ParseAttribute(std::string_view word, KeyEntry& entry) {
  const size_t equals = word.find('=');
  const std::string name(word.substr(0, equals));
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
  const auto count = [&](int64_t& target) {
    const auto number = ParseCount(value, 1, kQuotaMax);
    if (!number) return InvalidArgument("'" + name + "' wants a number above 0", name);
    target = *number;
    return Status::Ok();
  };
  if (name == "requests-per-minute") return count(entry.requests_per_minute);
  if (name == "tokens-per-day") return count(entry.tokens_per_day);
  if (name == "scopes") {
    PT_ASSIGN(entry.scopes, ParseScopes(value));
    return Status::Ok();
  }
  if (name == "expires") {
    PT_ASSIGN(entry.expires_s, ParseExpiry(value, 0));
    return Status::Ok();
  }
  if (name == "hint") {
    entry.hint = std::string(value);
    return Status::Ok();
  }
  // What has no '=' may be a key with a blank in it, so it is not repeated.
  if (equals == std::string_view::npos)
    return InvalidArgument("wanted 'name key attribute=value ...'", "api_keys");
  return InvalidArgument("unknown attribute '" + name +
                             "'; known: scopes expires requests-per-minute tokens-per-day hint",
                         "api_keys");
}

bool IsAttribute(std::string_view word) {
  for (const std::string_view name :
       {"scopes=", "expires=", "requests-per-minute=", "tokens-per-day=", "hint="}) {
    if (word.starts_with(name)) return true;
  }
  return false;
}

// The time of "2026-12-31" or "2026-12-31T12:00:00Z".
std::optional<int64_t> ParseDate(std::string_view text) {
  std::tm time{};
  const std::string copy(text);
  const char* end =
      strptime(copy.c_str(), copy.size() > 10 ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d", &time);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const int64_t seconds = timegm(&time);
  return copy.size() > 10 ? seconds : seconds + 86'400;
}

}  // namespace

KeySum SumOfKey(std::string_view key) {
  KeySum sum{};
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), sum.data());
  return sum;
}

Result<std::optional<KeyEntry>> ParseKeyLine(std::string_view line, size_t ordinal) {
  std::vector<std::string_view> words = Words(line);
  if (words.empty() || words[0].front() == '#') return std::optional<KeyEntry>();
  KeyEntry entry{.name = "key-" + std::to_string(ordinal), .scopes = {}, .hint = {}};
  if (words.size() > 1) {
    // Without its name a key would be taken for one, and shown.
    if (words[0].starts_with(kSumPrefix) || IsAttribute(words[1])) {
      return InvalidArgument("a key with attributes needs a name before it", "api_keys");
    }
    entry.name = std::string(words[0]);
    words.erase(words.begin());
  }
  if (words[0].starts_with(kSumPrefix)) {
    const auto sum = ParseSum(words[0].substr(kSumPrefix.size()));
    if (!sum) return InvalidArgument("'sha256:' wants 64 hex digits", "api_keys");
    entry.sum = *sum;
  } else {
    entry.sum = SumOfKey(words[0]);
  }
  for (size_t i = 1; i < words.size(); ++i) PT_TRY(ParseAttribute(words[i], entry));
  return std::optional(std::move(entry));
}

std::string FormatKeyLine(const KeyEntry& entry) {
  std::string line = entry.name + " " + std::string(kSumPrefix);
  for (const unsigned char byte : entry.sum) {
    constexpr char kDigits[] = "0123456789abcdef";
    line += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  for (size_t i = 0; i < entry.scopes.size(); ++i)
    line += (i == 0 ? " scopes=" : ",") + entry.scopes[i];
  if (entry.expires_s > 0) line += " expires=" + FormatUtc(entry.expires_s);
  if (entry.requests_per_minute > 0)
    line += " requests-per-minute=" + std::to_string(entry.requests_per_minute);
  if (entry.tokens_per_day > 0) line += " tokens-per-day=" + std::to_string(entry.tokens_per_day);
  if (!entry.hint.empty()) line += " hint=" + entry.hint;
  return line;
}

Result<int64_t> ParseExpiry(std::string_view text, int64_t now_s) {
  constexpr int64_t kCountMax = 1'000'000;
  const char unit = text.empty() ? '\0' : text.back();
  const int64_t seconds = unit == 'm' ? 60 : unit == 'h' ? 3'600 : unit == 'd' ? 86'400 : 0;
  if (seconds > 0) {
    const auto count = ParseCount(text.substr(0, text.size() - 1), 1, kCountMax);
    if (count) return now_s + *count * seconds;
  } else if (const auto date = ParseDate(text); date && *date > 0) {
    return *date;
  }
  return InvalidArgument(
      "'expires' wants 30d, 12h, 45m, 2026-12-31 or 2026-12-31T12:00:00Z (UTC), found '" +
          std::string(text.substr(0, 40)) + "'",
      "expires");
}

std::string FormatUtc(int64_t seconds) {
  const auto time = static_cast<time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Result<std::vector<std::string>> ParseScopes(std::string_view text) {
  std::set<std::string> known;
  for (const endpoints::Route* route : endpoints::AllRoutes()) {
    if (!route->options.scope.empty()) known.emplace(route->options.scope);
  }
  std::vector<std::string> scopes;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    std::string scope(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (known.contains(scope)) {
      scopes.push_back(std::move(scope));
      continue;
    }
    std::string names;
    for (const std::string& name : known) names += " " + name;
    return InvalidArgument("unknown scope '" + scope.substr(0, 40) + "'; known:" + names, "scopes");
  }
  if (scopes.empty())
    return InvalidArgument("'scopes' wants at least one; leave it out for all", "scopes");
  return scopes;
}

}  // namespace pingti::server
