// Model hubs: what a name means, where its files are and which of them are wanted, in the two
// layouts that the field uses (Hugging Face, ModelScope). Pure functions: no network, no files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pingti::store {

enum class HubKind : uint8_t { kHuggingFace, kModelScope };
Result<HubKind> ParseHubKind(std::string_view name);  // "huggingface", "modelscope"

struct HubOptions {
  HubKind kind = HubKind::kHuggingFace;
  std::string url;    // "https://host[:port][/prefix]", no slash at the end
  std::string token;  // empty: none
};

// org/name[@revision][:selector]; the selector is a file of the repository or a quantisation
// ("q4_k_m").
struct HubReference {
  std::string repository;  // "org/name"
  std::string revision;    // empty: the hub's default branch
  std::string selector;
};
Result<HubReference> ParseHubReference(std::string_view text);

struct HubFile {
  std::string path;  // inside the repository, checked: relative, no "..", no odd characters
  uint64_t bytes = 0;
  std::string sha256;    // hex; empty where the hub gives none
  std::string git_sha1;  // hex, of "blob <bytes>\0<content>"; empty where the hub gives none
};

// A path that may become a file below a folder: relative, of plain segments, without control
// characters.
bool IsSafePath(std::string_view path);

std::string ListUrl(const HubOptions& hub, const HubReference& reference);
std::string FileUrl(const HubOptions& hub, const HubReference& reference, std::string_view path);

// The files of a hub's answer. A hostile path, a wrong type or a missing field is an error that
// names it.
Result<std::vector<HubFile>> ParseListing(HubKind kind, std::string_view json);

// The files to bring: the selector's, else the only GGUF model or the one of Q4_K_M, else a folder
// of safetensors with what belongs to it. An error lists what there is.
Result<std::vector<HubFile>> SelectFiles(const std::vector<HubFile>& files,
                                         std::string_view selector);

// The name without the part number of a split GGUF set: "m-00001-of-00003.gguf" is "m.gguf".
std::string WithoutSplitNumber(std::string_view path);

}  // namespace pingti::store
