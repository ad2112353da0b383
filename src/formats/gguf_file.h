// GgufFile: a model in one GGUF file or in a split set of them (NAME-00001-of-0000N.gguf), mapped
// into memory.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "formats/model_file.h"

namespace pingti::formats {

// What a split file's name says: "x-00002-of-00003.gguf" is part 2 of 3 of "x".
struct SplitName {
  std::string stem;
  int32_t part = 1;  // from 1
  int32_t count = 1;
};
// nullopt where the name is not of that form.
std::optional<SplitName> ParseSplitName(const std::string& file_name);
std::string MakeSplitName(const SplitName& name);

// Opens a GGUF file, or the whole set where `path` is any part of one. An error names the part that
// is missing or damaged.
Result<std::unique_ptr<ModelFile>> OpenGgufFile(const std::filesystem::path& path);

}  // namespace pingti::formats
