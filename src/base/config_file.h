// ConfigFile: the settings of a TOML file as a flat list with their places, for options.h. Values;
// no interpretation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pingti {

struct ConfigSetting {
  enum class Type : uint8_t { kBool, kInteger, kNumber, kText, kList };
  std::string section;  // "server"; empty: before the first [section]
  std::string key;
  Type type = Type::kText;
  std::string text;               // scalars, as text
  std::vector<std::string> list;  // kList: the elements, as text
  int line = 0;                   // 1 for the first
};

struct ConfigFile {
  std::string name;  // for messages
  std::vector<ConfigSetting> settings;
};

// The error names file, line and column. Only scalars and lists of scalars in sections of one level
// are taken.
Result<ConfigFile> ParseConfigFile(std::string_view text, std::string name);
Result<ConfigFile> ReadConfigFile(const std::filesystem::path& path);

}  // namespace pingti
