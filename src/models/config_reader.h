// ConfigReader: a family's numbers from a model file's metadata, under "{architecture}.". The first
// problem (a missing key, a wrong type, a value out of range) is kept and names the key; reads
// after it give fallbacks, so that a config is read in a straight line and checked once, with
// status(). Used by one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/model_file.h"

namespace pingti::models {

// Bounds that keep every later product of sizes far from overflow.
inline constexpr int64_t kLayersMax = 4096;
inline constexpr int64_t kHeadsMax = 4096;
inline constexpr int64_t kWidthMax = 1 << 20;  // hidden, feed-forward and head sizes
inline constexpr int64_t kContextMax = 1 << 30;

class ConfigReader final {
 public:
  ConfigReader(const formats::ModelFile& file, std::string_view architecture)
      : file_(file), prefix_(std::string(architecture) + ".") {}

  int64_t Int(std::string_view key, int64_t max);                      // required; [1, max]
  int64_t IntOr(std::string_view key, int64_t max, int64_t fallback);  // [0, max]
  double Float(std::string_view key);                                  // required; finite, above 0
  double FloatOr(std::string_view key, double fallback);               // finite, at least 0
  std::string StringOr(std::string_view key, std::string_view fallback);
  bool BoolOr(std::string_view key, bool fallback);

  // An error of the reader's own: "key: problem".
  void Fail(std::string_view key, std::string_view problem);
  const Status& status() const { return status_; }
  const formats::ModelFile& file() const { return file_; }

 private:
  template <typename T>
  T Take(Result<std::optional<T>> read, const std::string& key, bool required, T fallback);

  const formats::ModelFile& file_;
  std::string prefix_;
  Status status_;
};

}  // namespace pingti::models
