// Which models there are for this configuration, and which one is meant.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "config.h"
#include "store/model_folders.h"

namespace pingti::apps {

store::ModelFolders FoldersOf(const Config& config);

struct ChosenModel {
  std::filesystem::path path;
  bool is_default = false;  // nobody named one: the toy that comes with the set-up
};
// The model of [model] model, else the default one. The error says what to do next.
Result<ChosenModel> ChooseModel(const Config& config);

}  // namespace pingti::apps
