#include "models/config_reader.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <utility>

namespace pingti::models {

void ConfigReader::Fail(std::string_view key, std::string_view problem) {
  if (!status_.ok()) return;
  std::string name = prefix_ + std::string(key);
  status_ = InvalidArgument(fmt::format("metadata key '{}' {}", name, problem), name);
}

template <typename T>
T ConfigReader::Take(Result<std::optional<T>> read, const std::string& key, bool required,
                     T fallback) {
  if (!read.ok()) {
    if (status_.ok()) status_ = read.status();
    return fallback;
  }
  if (read->has_value()) return std::move(**read);
  if (required) Fail(key, "is missing");
  return fallback;
}

int64_t ConfigReader::Int(std::string_view key, int64_t max) {
  const std::string name(key);
  const int64_t value = Take<int64_t>(file_.Int(prefix_ + name), name, true, 1);
  if (value >= 1 && value <= max) return value;
  Fail(key, fmt::format("is {}, wanted 1 to {}", value, max));
  return 1;
}

int64_t ConfigReader::IntOr(std::string_view key, int64_t max, int64_t fallback) {
  const std::string name(key);
  const int64_t value = Take<int64_t>(file_.Int(prefix_ + name), name, false, fallback);
  if (value >= 0 && value <= max) return value;
  Fail(key, fmt::format("is {}, wanted 0 to {}", value, max));
  return fallback;
}

double ConfigReader::Float(std::string_view key) {
  const std::string name(key);
  const double value = Take<double>(file_.Float(prefix_ + name), name, true, 1.0);
  if (std::isfinite(value) && value > 0) return value;
  Fail(key, fmt::format("is {}, wanted a number above 0", value));
  return 1.0;
}

double ConfigReader::FloatOr(std::string_view key, double fallback) {
  const std::string name(key);
  const double value = Take<double>(file_.Float(prefix_ + name), name, false, fallback);
  if (std::isfinite(value) && value >= 0) return value;
  Fail(key, fmt::format("is {}, wanted a number of at least 0", value));
  return fallback;
}

std::string ConfigReader::StringOr(std::string_view key, std::string_view fallback) {
  const std::string name(key);
  return Take<std::string>(file_.String(prefix_ + name), name, false, std::string(fallback));
}

bool ConfigReader::BoolOr(std::string_view key, bool fallback) {
  const std::string name(key);
  return Take<bool>(file_.Bool(prefix_ + name), name, false, fallback);
}

}  // namespace pingti::models
