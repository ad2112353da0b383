// ApiKeys: who may ask. Only SHA-256 sums of the keys are kept, and every comparison takes the same time. Immutable
// after Load; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pingti::server {

class ApiKeys final {
 public:
  // Lines "name key", "name sha256:<64 hex digits>", or only a key (named key-1, key-2 ...); '#' begins a comment.
  // `file` may be empty. The error names the line, never the key.
  static Result<ApiKeys> Load(const std::filesystem::path& file, const std::vector<std::string>& lines);

  bool empty() const { return keys_.empty(); }
  // The name of the key in "Bearer <key>"; nullopt where it is none of ours.
  std::optional<std::string> NameOf(std::string_view authorization) const;

 private:
  using Sum = std::array<unsigned char, 32>;
  struct Key {
    std::string name;
    Sum sum;
  };
  Status AddLine(std::string_view line, const std::string& where);
  static Sum SumOf(std::string_view key);

  std::vector<Key> keys_;
};

}  // namespace pingti::server
