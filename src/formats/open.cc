// OpenModelFile: from a path to the one model that it names.
#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "formats/gguf_file.h"
#include "formats/model_file.h"

namespace pingti::formats {
namespace {

constexpr size_t kNamesShown = 10;

bool IsModelPart(const std::filesystem::path& path) { return path.extension() == ".gguf"; }

// The files of a folder that a model can be opened by: each GGUF file, and the first part of each
// split set.
Result<std::vector<std::filesystem::path>> FindModels(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> models;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;  // a dangling link is no model
    if (!IsModelPart(it->path()) || !it->is_regular_file(ignored)) continue;
    std::optional<SplitName> split = ParseSplitName(it->path().filename().string());
    if (split) split->part = 1;
    models.push_back(split ? folder / MakeSplitName(*split) : it->path());
  }
  if (error) return FailedPrecondition("cannot list " + folder.string() + ": " + error.message());
  std::ranges::sort(models);
  models.erase(std::unique(models.begin(), models.end()), models.end());
  return models;
}

Status SeveralModels(const std::filesystem::path& folder,
                     const std::vector<std::filesystem::path>& models) {
  std::string names;
  for (size_t i = 0; i < std::min(models.size(), kNamesShown); ++i) {
    names += (i == 0 ? "" : ", ") + models[i].filename().string();
  }
  if (models.size() > kNamesShown) names += ", ...";
  return InvalidArgument(fmt::format("{} holds {} models; name one of them: {}", folder.string(),
                                     models.size(), names));
}

}  // namespace

Result<std::unique_ptr<ModelFile>> OpenModelFile(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return NotFound(fmt::format("there is no file or folder {}", path.string()));
  }
  if (!std::filesystem::is_directory(status)) return OpenGgufFile(path);
  PT_ASSIGN(const std::vector<std::filesystem::path> models, FindModels(path));
  if (models.empty()) {
    return NotFound(fmt::format("{} holds no model: looked for *.gguf", path.string()));
  }
  if (models.size() > 1) return SeveralModels(path, models);
  return OpenGgufFile(models.front());
}

}  // namespace pingti::formats
