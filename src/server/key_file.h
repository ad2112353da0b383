// The key file: one key a line (server/key_entry.h), written by `pingti keys` and by hand, read by
// the server whenever it changes. Writers exclude each other by a lock on its folder; readers see
// the old or the new file, never half. Lines that are not touched stay as they are, comments too.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "server/key_entry.h"

namespace pingti::server {

inline constexpr size_t kKeysMax = 10'000;  // in one file; names become labels of metrics

// A new key: 256 random bits behind a prefix by which scanners for leaked secrets know it. The text
// is nowhere kept.
struct NewKey {
  std::string text;  // "pt_..."
  std::string hint;  // its first characters
};
NewKey MakeKey();

// The error names file and line, never a key.
Result<std::vector<KeyEntry>> ReadKeyFile(const std::filesystem::path& file);
// Makes the file (mode 0600) where there is none. An error where the name is taken.
Status AddKey(const std::filesystem::path& file, const KeyEntry& entry);
// All lines of this name. NotFound where there is none.
Status RemoveKey(const std::filesystem::path& file, const std::string& name);

}  // namespace pingti::server
