// GgufMetadata: look-ups in the metadata of one GGUF file, with the conversions that ModelFile
// promises. Borrows from the file's bytes. Immutable; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/gguf.h"

namespace pingti::formats {

class GgufMetadata final {
 public:
  GgufMetadata() = default;
  // `entries` as ParseGguf gives them: checked and sorted.
  explicit GgufMetadata(std::vector<GgufEntry> entries) : entries_(std::move(entries)) {}

  // See ModelFile. Float and Floats also take integers.
  Result<std::optional<std::string>> String(std::string_view key) const;
  Result<std::optional<int64_t>> Int(std::string_view key) const;
  Result<std::optional<double>> Float(std::string_view key) const;
  Result<std::optional<bool>> Bool(std::string_view key) const;
  Result<std::optional<std::vector<std::string>>> Strings(std::string_view key) const;
  Result<std::optional<std::vector<int64_t>>> Ints(std::string_view key) const;
  Result<std::optional<std::vector<float>>> Floats(std::string_view key) const;

  // nullptr where there is none.
  const GgufEntry* Find(std::string_view key) const;
  const std::vector<GgufEntry>& entries() const { return entries_; }

 private:
  std::vector<GgufEntry> entries_;  // sorted by key
};

}  // namespace pingti::formats
