// ModelFolders: where models lie on this machine, what is there, and which one a name means.
//
// A folder holds GGUF files at any depth (org/name/file.gguf as `pingti pull` puts them) and
// folders in Hugging Face layout (config.json beside *.safetensors). The caches of the hubs' own
// tools are read too, never written. No state but paths.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pingti::store {

// The name that help and messages give as an example of a real model.
inline constexpr std::string_view kExampleModel = "Qwen/Qwen2.5-1.5B-Instruct-GGUF:q4_k_m";
inline constexpr std::string_view kDefaultModelFile = "SmolLM2-135M-Instruct.Q4_1.gguf";

struct FoundModel {
  std::string name;            // what to type: "SmolLM2-135M-Instruct.Q4_1", "org/name:file"
  std::filesystem::path path;  // a .gguf file (the first of a split set) or a folder
  uint64_t bytes = 0;          // of the weights, all parts
};

class ModelFolders final {
 public:
  // `own` comes first and is where pulled models go. The rest: PINGTI_MODELS, and the caches of the
  // hubs' tools (HF_HUB_CACHE, HF_HOME, MODELSCOPE_CACHE, else their places under `home`) where
  // they exist.
  static ModelFolders FromEnvironment(std::filesystem::path own, const std::filesystem::path& home);
  explicit ModelFolders(std::vector<std::filesystem::path> folders)
      : folders_(std::move(folders)) {}

  const std::filesystem::path& own() const { return folders_.front(); }
  const std::vector<std::filesystem::path>& all() const { return folders_; }

  // All models, sorted by name; an unreadable folder is passed over.
  std::vector<FoundModel> List() const;

  // A path that exists, or a name of List() (also without org/, or its beginning where only one
  // model begins so), in any case. The error says what was looked for, what is there, and what to
  // do next.
  Result<std::filesystem::path> Resolve(std::string_view name) const;

  // Where `pingti pull` puts a repository: own()/org/name.
  std::filesystem::path FolderOf(std::string_view repository) const { return own() / repository; }

 private:
  std::vector<std::filesystem::path> folders_;
};

// Whether a folder in Hugging Face layout is complete: config.json, a tokenizer, and every weight
// file (each one that model.safetensors.index.json names). NotFound names the first missing file.
Status CheckModelFolder(const std::filesystem::path& folder);

}  // namespace pingti::store
