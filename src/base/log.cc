#include "base/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>

#include "base/i18n.h"

namespace pingti {
namespace {

constexpr std::array<std::string_view, 5> kLevelNames = {"debug", "info", "warning", "error",
                                                         "off"};

std::atomic<LogLevel> g_level{LogLevel::kInfo};
std::atomic<LogForm> g_form{LogForm::kText};

// ISO 8601 in UTC with milliseconds.
std::string Now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  tm parts{};
  gmtime_r(&time.tv_sec, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     time.tv_nsec / 1'000'000);
}

void WriteAll(std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody to tell
    line.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

std::string_view LogLevelName(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }

Result<LogLevel> ParseLogLevel(std::string_view name) {
  for (size_t i = 0; i < kLevelNames.size(); ++i) {
    if (kLevelNames[i] == name) return static_cast<LogLevel>(i);
  }
  return InvalidArgument(
      fmt::format("unknown log level '{}': wanted debug, info, warning, error or off", name),
      "log-level");
}

Status ConfigureLog(const LogOptions& options) {
  PT_ASSIGN(const LogLevel level, ParseLogLevel(options.level));
  LogForm form = LogForm::kText;
  if (options.form == "json" || (options.form == "auto" && isatty(STDERR_FILENO) == 0)) {
    form = LogForm::kJson;
  } else if (options.form != "text" && options.form != "auto") {
    return InvalidArgument(
        fmt::format("unknown log form '{}': wanted auto, text or json", options.form), "log-form");
  }
  g_level = level;
  g_form = form;
  return Status::Ok();
}

bool LogEnabled(LogLevel level) { return level >= g_level.load(std::memory_order_relaxed); }

std::string JsonQuote(std::string_view text) {
  std::string out = "\"";
  for (size_t at = 0; at < text.size();) {
    char32_t c = 0;
    const size_t length = DecodeUtf8(text, at, c);
    if (c == '"' || c == '\\') {
      out += {'\\', static_cast<char>(c)};
    } else if (c < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else if (c == 0xFFFD && length == 1) {
      out += "\\ufffd";
    } else {
      out.append(text, at, length);
    }
    at += length;
  }
  return out += '"';
}

std::string FormatLogLine(LogForm form, LogLevel level, std::string_view time,
                          std::string_view message, LogFields fields) {
  std::string line;
  if (form == LogForm::kJson) {
    line = fmt::format(R"({{"time":"{}","level":"{}","message":{})", time, LogLevelName(level),
                       JsonQuote(message));
    for (const auto& [name, value] : fields)
      line += fmt::format(",{}:{}", JsonQuote(name), JsonQuote(value));
    return line += '}';
  }
  line = fmt::format("{} {:7} {}", time, LogLevelName(level), message);
  for (const auto& [name, value] : fields) {
    const bool plain = !value.empty() && value.find_first_of(" \"\n\t=") == std::string::npos;
    line += fmt::format(" {}={}", name, plain ? value : JsonQuote(value));
  }
  return line;
}

void Log(LogLevel level, std::string_view message, LogFields fields) {
  if (!LogEnabled(level)) return;
  WriteAll(FormatLogLine(g_form, level, Now(), message, fields) + "\n");
}

}  // namespace pingti
