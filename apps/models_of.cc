#include "models_of.h"

#include <cstdlib>

#include "base/i18n.h"

namespace pingti::apps {

store::ModelFolders FoldersOf(const Config& config) {
  const char* home = std::getenv("HOME");
  const std::filesystem::path own =
      config.model.models_dir.empty() ? CacheFolder() / "models" : config.model.models_dir;
  return store::ModelFolders::FromEnvironment(own, home == nullptr ? "/" : home);
}

Result<ChosenModel> ChooseModel(const Config& config) {
  const store::ModelFolders folders = FoldersOf(config);
  if (!config.model.model.empty()) {
    PT_ASSIGN(const std::filesystem::path path, folders.Resolve(config.model.model));
    return ChosenModel{path, false};
  }
  const std::filesystem::path path = folders.own() / store::kDefaultModelFile;
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return ChosenModel{path, true};
  return NotFound(
      TrFormat(
          "no model was named, and the default one is not at {}. Give one (--model FILE, or "
          "PINGTI_MODEL), bring one (pingti "
          "pull ORG/NAME), or run ./pingti serve in a source checkout, which brings the default",
          "没有指定模型，默认模型也不在 {}。请指定（--model 文件 或 PINGTI_MODEL）、下载（pingti "
          "pull 组织/名称），"
          "或在源码目录运行 ./pingti serve 自动获取默认模型",
          path.string()),
      "model");
}

}  // namespace pingti::apps
