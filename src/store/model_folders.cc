#include "store/model_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>

#include "base/file.h"
#include "base/i18n.h"
#include "base/json.h"
#include "store/hub.h"

namespace pingti::store {
namespace {

namespace fs = std::filesystem;

constexpr int kDepthMax =
    6;  // own/org/name/file, and the hubs' caches: models--o--n/snapshots/REV/dir/file
constexpr size_t kEntriesMax = 100'000;  // of one folder of models
constexpr size_t kIndexBytesMax = 64 << 20;
constexpr size_t kNamesShown = 10;

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

const char* Environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

// "models--org--name/snapshots/REV/x" and "models/org/name/x" are "org/name/x".
std::string WithoutCacheLayout(std::string path) {
  if (path.starts_with("models--")) {
    const size_t end = path.find('/');
    std::string repository = path.substr(8, end - 8);
    if (const size_t dashes = repository.find("--"); dashes != std::string::npos)
      repository.replace(dashes, 2, "/");
    std::string rest = end == std::string::npos ? "" : path.substr(end);
    if (rest.starts_with("/snapshots/")) {
      const size_t after = rest.find('/', 11);
      rest = after == std::string::npos ? "" : rest.substr(after);
    }
    return repository + rest;
  }
  return path.starts_with("models/") ? path.substr(7) : path;
}

// "a/b/file.gguf" is named "a/b:file", "file.gguf" is "file", the folder "a/b" is "a/b".
std::string NameOf(const std::string& relative, bool folder) {
  std::string name = WithoutCacheLayout(relative);
  if (folder) return name;
  name = WithoutSplitNumber(name);
  name.resize(name.size() - std::string_view(".gguf").size());
  const size_t first = name.find('/');
  const size_t second = first == std::string::npos ? std::string::npos : name.find('/', first + 1);
  if (second != std::string::npos) name[second] = ':';
  return name;
}

bool IsFirstPart(const std::string& file) {
  return WithoutSplitNumber(file) == file || file.find("-00001-of-") != std::string::npos;
}

// Adds what lies in one folder of models to `found`, by name; names that are there already are
// kept.
void Collect(const fs::path& root, std::map<std::string, FoundModel>& found) {
  std::error_code error;
  std::map<std::string, FoundModel> here;
  fs::recursive_directory_iterator it(root, fs::directory_options::skip_permission_denied, error);
  for (size_t entries = 0; !error && it != fs::end(it) && entries < kEntriesMax;
       it.increment(error), ++entries) {
    if (it.depth() > kDepthMax) it.disable_recursion_pending();
    std::error_code ignored;
    const fs::path& path = it->path();
    const std::string file = path.filename().string();
    if (!it->is_regular_file(ignored)) continue;
    const bool gguf = Lower(file).ends_with(".gguf");
    const bool weights = Lower(file).ends_with(".safetensors") &&
                         fs::exists(path.parent_path() / "config.json", ignored);
    if (!gguf && !weights) continue;
    const std::string name = NameOf(
        (weights ? path.parent_path() : path).lexically_relative(root).generic_string(), weights);
    FoundModel& model = here[name];
    model.name = name;
    model.bytes += it->file_size(ignored);
    if (weights) model.path = path.parent_path();
    if (gguf && (IsFirstPart(file) || model.path.empty())) model.path = path;
  }
  found.merge(here);
}

std::string WithoutOrganisation(const std::string& name) {
  const size_t slash = name.find('/');
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

Status NoSuchModel(std::string_view name, const std::vector<FoundModel>& models,
                   const std::vector<fs::path>& folders) {
  std::string there;
  for (size_t i = 0; i < models.size() && i < kNamesShown; ++i) there += "\n  " + models[i].name;
  if (models.size() > kNamesShown) there += "\n  ...";
  std::string looked;
  for (const fs::path& folder : folders) looked += (looked.empty() ? "" : ", ") + folder.string();
  if (there.empty()) {
    return NotFound(TrFormat("no model '{}': no file or folder of that name, and nothing in {}. "
                             "Bring one with `pingti pull ORG/NAME`, or "
                             "give a GGUF file: --model FILE",
                             "没有模型 '{}'：既不是文件或文件夹，{} 中也没有模型。用 `pingti pull "
                             "组织/名称` 获取，或用 --model 指定 GGUF 文件",
                             name, looked),
                    "model");
  }
  return NotFound(TrFormat("no model '{}': no file or folder of that name, and not one of those in "
                           "{}:{}\nBring it with `pingti pull ORG/NAME`, "
                           "or give a GGUF file: --model FILE",
                           "没有模型 '{}'：既不是文件或文件夹，也不在 {} 的模型之中：{}\n用 "
                           "`pingti pull 组织/名称` 获取，或用 --model 指定 GGUF 文件",
                           name, looked, there),
                  "model");
}

Status Missing(const fs::path& folder, std::string_view file, std::string_view why) {
  return NotFound(
      TrFormat("{}: {} is missing ({})", "{}：缺少 {}（{}）", folder.string(), file, why),
      std::string(file));
}

// `path`, or what is missing of it where it is a folder in Hugging Face layout.
Result<fs::path> Complete(const fs::path& path) {
  std::error_code ignored;
  if (fs::exists(path / "config.json", ignored)) PT_TRY(CheckModelFolder(path));
  return path;
}

}  // namespace

ModelFolders ModelFolders::FromEnvironment(fs::path own, const fs::path& home) {
  std::vector<fs::path> folders = {std::move(own)};
  const auto add = [&](const fs::path& folder) {
    std::error_code ignored;
    const bool known = std::find(folders.begin(), folders.end(), folder) != folders.end();
    if (!known && fs::is_directory(folder, ignored)) folders.push_back(folder);
  };
  if (const char* models = Environment("PINGTI_MODELS")) add(models);
  if (const char* cache = Environment("HF_HUB_CACHE")) {
    add(cache);
  } else if (const char* base = Environment("HF_HOME")) {
    add(fs::path(base) / "hub");
  } else {
    add(home / ".cache/huggingface/hub");
  }
  if (const char* cache = Environment("MODELSCOPE_CACHE")) {
    add(cache);
  } else {
    add(home / ".cache/modelscope/hub");
  }
  return ModelFolders(std::move(folders));
}

std::vector<FoundModel> ModelFolders::List() const {
  std::map<std::string, FoundModel> found;
  for (const fs::path& folder : folders_) Collect(folder, found);
  std::vector<FoundModel> models;
  for (auto& [name, model] : found) models.push_back(std::move(model));
  return models;
}

Result<fs::path> ModelFolders::Resolve(std::string_view name) const {
  std::error_code ignored;
  if (fs::exists(fs::path(name), ignored)) return Complete(fs::path(name));
  const std::vector<FoundModel> models = List();
  std::string wanted = Lower(name);
  if (wanted.ends_with(".gguf")) wanted.resize(wanted.size() - 5);
  const auto matching = [&](auto&& matches) {
    std::vector<const FoundModel*> hits;
    for (const FoundModel& model : models) {
      if (matches(Lower(model.name))) hits.push_back(&model);
    }
    return hits;
  };
  for (const std::vector<const FoundModel*>& hits :
       {matching([&](const std::string& n) { return n == wanted; }),
        matching([&](const std::string& n) { return WithoutOrganisation(n) == wanted; }),
        matching([&](const std::string& n) { return n.starts_with(wanted + ":"); }),
        matching([&](const std::string& n) {
          // org/name:quantisation means the file that ends with it.
          const size_t colon = wanted.find(':');
          return colon != std::string::npos && n.starts_with(wanted.substr(0, colon + 1)) &&
                 n.ends_with(wanted.substr(colon + 1));
        }),
        matching([&](const std::string& n) {
          return n.starts_with(wanted) || WithoutOrganisation(n).starts_with(wanted);
        })}) {
    if (hits.size() == 1) return Complete(hits.front()->path);
    if (hits.empty()) continue;
    std::string list;
    for (const FoundModel* hit : hits) list += "\n  " + hit->name;
    return InvalidArgument(TrFormat("'{}' may mean several models; name one of:{}",
                                    "'{}' 可能指多个模型；请选择其一：{}", name, list),
                           "model");
  }
  for (const fs::path& folder : folders_) {  // begun by hand or by a pull that was stopped
    if (IsSafePath(name) && fs::exists(folder / name / "config.json", ignored))
      return Complete(folder / name);
  }
  return NoSuchModel(name, models, folders_);
}

Status CheckModelFolder(const fs::path& folder) {
  std::error_code ignored;
  const auto has = [&](std::string_view file) { return fs::exists(folder / file, ignored); };
  if (!has("config.json"))
    return Missing(folder, "config.json", Tr("it says what the model is", "它说明模型的结构"));
  if (!has("tokenizer.json") && !has("tokenizer.model") &&
      !(has("vocab.json") && has("merges.txt")) && !has("vocab.txt")) {
    return Missing(folder, "tokenizer.json", Tr("it turns text into tokens", "它把文本变成 token"));
  }
  constexpr const char* kIndex = "model.safetensors.index.json";
  if (!has(kIndex)) {
    if (has("model.safetensors")) return Status::Ok();
    return Missing(folder, "model.safetensors", Tr("the weights", "权重"));
  }
  PT_ASSIGN(const std::string text, ReadFile(folder / kIndex, kIndexBytesMax));
  PT_ASSIGN(const json::value index, ParseJson(text));
  const json::value* map =
      index.is_object() ? index.get_object().if_contains("weight_map") : nullptr;
  if (map == nullptr || !map->is_object()) {
    return DataLoss(
        TrFormat("{}: {} has no weight_map", "{}：{} 中没有 weight_map", folder.string(), kIndex),
        "weight_map");
  }
  for (const auto& [tensor, file] : map->get_object()) {
    if (!file.is_string() || !IsSafePath(std::string_view(file.get_string()))) {
      return DataLoss(
          TrFormat("{}: {}: the file of '{}' is not a file name", "{}：{}：'{}' 的文件名无效",
                   folder.string(), kIndex, std::string(tensor)),
          "weight_map");
    }
    if (!has(std::string(file.get_string()))) {
      return Missing(folder, std::string(file.get_string()),
                     TrFormat("{} names it", "{} 中列出", kIndex));
    }
  }
  return Status::Ok();
}

}  // namespace pingti::store
