// Pull: brings a model of a hub into the model folder: lists, chooses, checks the disk, downloads,
// verifies.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/fetcher.h"
#include "store/hub.h"
#include "store/model_folders.h"

namespace pingti::store {

struct PullOptions {
  HubOptions hub;
  HubReference reference;
  // What will be brought, once it is known.
  std::function<void(const std::vector<HubFile>& files)> on_files;
  // Of the file at that index in on_files' list.
  std::function<void(size_t file, uint64_t done, uint64_t all)> on_progress;
  std::function<void(size_t file)> on_file_done;
  std::function<bool()> cancelled;
};

// The path to give to --model: the GGUF file (the first of a split set) or the folder. Where the
// hub cannot be reached the error says what can be done without it.
Result<std::filesystem::path> Pull(Fetcher& fetcher, const ModelFolders& folders,
                                   const PullOptions& options);

}  // namespace pingti::store
