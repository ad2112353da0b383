// Log: what the operator reads: one line an event on standard error, as text on a terminal or as
// JSON lines.
//
// Thread-safe; a line is one write. Formatting costs microseconds and the write may block: never on
// the engine's thread. The level and the form are set once at start.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace pingti {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError, kOff };
enum class LogForm : uint8_t { kText, kJson };

Result<LogLevel> ParseLogLevel(
    std::string_view name);  // "debug", "info", "warning", "error", "off"
std::string_view LogLevelName(LogLevel level);

struct LogOptions {
  std::string level = "info";
  std::string form = "auto";  // text, json; auto: text on a terminal
};

// Errors name the wrong value. Called once by main, before threads start.
Status ConfigureLog(const LogOptions& options);
bool LogEnabled(LogLevel level);

// A field's value is a string; numbers are formatted by the caller.
using LogFields = std::initializer_list<std::pair<std::string_view, std::string>>;

void Log(LogLevel level, std::string_view message, LogFields fields = {});
inline void LogInfo(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kInfo, message, fields);
}
inline void LogWarning(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kWarning, message, fields);
}
inline void LogError(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kError, message, fields);
}

// One line as it is written, without the line feed: for tests.
std::string FormatLogLine(LogForm form, LogLevel level, std::string_view time,
                          std::string_view message, LogFields fields);
// `text` as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.
std::string JsonQuote(std::string_view text);

}  // namespace pingti
