// KeyEntry: one API key as the operator's file has it: who, for what, how much, how long. Pure
// values and text.
//
// A line is "name key" or "name sha256:<64 hex digits>", then any of
//   scopes=chat,metrics  expires=2026-12-31T00:00:00Z  requests-per-minute=60 tokens-per-day=100000
//   hint=pt_Ab3d
// or only a key (named key-1, key-2 ...); '#' begins a comment. A key that we make has 256 random
// bits, so that a plain SHA-256 of it cannot be guessed; no salt and no secret beside the file is
// needed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pingti::server {

using KeySum = std::array<unsigned char, 32>;  // SHA-256

struct KeyEntry {
  std::string name;  // letters, digits, '.', '_', '-' in keys that we make
  KeySum sum{};
  std::vector<std::string> scopes;  // empty: all
  int64_t expires_s = 0;            // seconds since 1970; 0: never
  int64_t requests_per_minute = 0;  // 0: unlimited
  int64_t tokens_per_day = 0;       // prompt and answer, in a day of UTC; 0: unlimited
  std::string hint;                 // the key's first characters, by which people know it
};

KeySum SumOfKey(std::string_view key);

// nullopt: an empty line or a comment. `ordinal` names a key without a name. The error never
// repeats the key.
Result<std::optional<KeyEntry>> ParseKeyLine(std::string_view line, size_t ordinal);
std::string FormatKeyLine(const KeyEntry& entry);  // without a line feed

// "45m", "12h", "30d" from now, "2026-12-31" (its end) or "2026-12-31T12:00:00Z"; all in UTC.
Result<int64_t> ParseExpiry(std::string_view text, int64_t now_s);
std::string FormatUtc(int64_t seconds);  // "2026-12-31T12:00:00Z"

// "chat,metrics" to scopes, checked against those that routes ask for.
Result<std::vector<std::string>> ParseScopes(std::string_view text);

}  // namespace pingti::server
