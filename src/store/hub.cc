#include "store/hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "base/i18n.h"
#include "base/json.h"
#include "base/progress.h"

namespace pingti::store {
namespace {

constexpr size_t kPathBytesMax = 512;
constexpr size_t kFilesMax = 20'000;
constexpr size_t kNameBytesMax = 96;  // of an organisation or a model, as the hubs have it
constexpr int64_t kFileBytesMax = int64_t{1} << 44;

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool IsNamePart(std::string_view part) {
  return !part.empty() && part.size() <= kNameBytesMax && part[0] != '.' &&
         std::all_of(part.begin(), part.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' ||
                  c == '.';
         });
}

bool IsHex(std::string_view text, size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isxdigit(c) != 0;
         });
}

// Percent-encodes all but unreserved characters and '/'.
std::string Encode(std::string_view text, bool keep_slash) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~' ||
                       (c == '/' && keep_slash);
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

std::string RevisionOf(const HubOptions& hub, const HubReference& reference) {
  if (!reference.revision.empty()) return reference.revision;
  return hub.kind == HubKind::kHuggingFace ? "main" : "master";
}

Status WrongListing(std::string_view what) {
  return DataLoss(TrFormat("the hub's file list is not as expected: {}",
                           "仓库返回的文件列表不符合预期：{}", what));
}

std::string TextField(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// A file of the list; an error where its path or size cannot be trusted.
Result<HubFile> MakeFile(std::string path, const json::value* bytes) {
  if (!IsSafePath(path))
    return WrongListing(fmt::format("path '{}'", path.substr(0, kPathBytesMax)));
  if (bytes == nullptr || !bytes->is_int64() || bytes->get_int64() < 0 ||
      bytes->get_int64() > kFileBytesMax) {
    return WrongListing(fmt::format("size of '{}'", path));
  }
  return HubFile{std::move(path), static_cast<uint64_t>(bytes->get_int64()), {}, {}};
}

Result<std::vector<HubFile>> HuggingFaceFiles(const json::value& root) {
  if (!root.is_array()) return WrongListing("no list");
  std::vector<HubFile> files;
  for (const json::value& entry : root.get_array()) {
    if (!entry.is_object()) return WrongListing("an entry is no object");
    const json::object& object = entry.get_object();
    if (TextField(object, "type") != "file") continue;
    PT_ASSIGN(HubFile file, MakeFile(TextField(object, "path"), object.if_contains("size")));
    if (const json::value* lfs = object.if_contains("lfs"); lfs != nullptr && lfs->is_object()) {
      file.sha256 = TextField(lfs->get_object(), "oid");
      if (file.sha256.starts_with("sha256:")) file.sha256.erase(0, 7);
    } else {
      file.git_sha1 = TextField(object, "oid");
    }
    files.push_back(std::move(file));
  }
  return files;
}

Result<std::vector<HubFile>> ModelScopeFiles(const json::value& root) {
  const json::value* list = nullptr;
  if (root.is_object()) {
    const json::value* data = root.get_object().if_contains("Data");
    if (data != nullptr && data->is_object()) list = data->get_object().if_contains("Files");
  }
  if (list == nullptr || !list->is_array()) return WrongListing("no Data.Files");
  std::vector<HubFile> files;
  for (const json::value& entry : list->get_array()) {
    if (!entry.is_object()) return WrongListing("an entry is no object");
    const json::object& object = entry.get_object();
    if (TextField(object, "Type") == "tree") continue;
    PT_ASSIGN(HubFile file, MakeFile(TextField(object, "Path"), object.if_contains("Size")));
    file.sha256 = TextField(object, "Sha256");
    files.push_back(std::move(file));
  }
  return files;
}

bool EndsWith(std::string_view path, std::string_view end) { return Lower(path).ends_with(end); }

// What a folder in Hugging Face layout needs beside its weights.
bool IsModelText(std::string_view path) {
  if (path.find('/') != std::string_view::npos) return false;
  for (const char* end : {".json", ".jinja", ".model", "merges.txt", "vocab.txt"}) {
    if (EndsWith(path, end)) return true;
  }
  return Lower(path).starts_with("license");
}

std::vector<HubFile> SafetensorsFolder(const std::vector<HubFile>& files) {
  std::vector<HubFile> wanted;
  bool weights = false;
  for (const HubFile& file : files) {
    const bool is_weights =
        EndsWith(file.path, ".safetensors") && file.path.find('/') == std::string::npos;
    weights = weights || is_weights;
    if (is_weights || IsModelText(file.path)) wanted.push_back(file);
  }
  return weights ? wanted : std::vector<HubFile>();
}

std::string Describe(const std::map<std::string, std::vector<HubFile>>& groups) {
  std::string list;
  for (const auto& [name, files] : groups) {
    uint64_t bytes = 0;
    for (const HubFile& file : files) bytes += file.bytes;
    list += fmt::format("\n  {}  {}", name, FormatBytes(static_cast<double>(bytes)));
  }
  return list;
}

// The group of GGUF files that the selector means: by name, else by quantisation.
Result<std::vector<HubFile>> SelectGguf(const std::map<std::string, std::vector<HubFile>>& groups,
                                        std::string_view selector) {
  if (selector.empty() && groups.size() == 1) return groups.begin()->second;
  const std::string wanted = selector.empty() ? "q4_k_m" : Lower(selector);
  std::map<std::string, std::vector<HubFile>> matching;
  for (const auto& [name, files] : groups) {
    if (Lower(name) == wanted || Lower(name) == wanted + ".gguf") return files;
    const std::string stem = Lower(name).substr(0, name.size() - 5);
    const size_t at = stem.rfind(wanted);
    const bool quantisation =
        at != std::string::npos && at + wanted.size() == stem.size() && at > 0 &&
        (stem[at - 1] == '-' || stem[at - 1] == '.' || stem[at - 1] == '_' || stem[at - 1] == '/');
    if (quantisation) matching.emplace(name, files);
  }
  if (matching.size() == 1) return matching.begin()->second;
  const std::string list = Describe(matching.empty() ? groups : matching);
  if (selector.empty()) {
    return InvalidArgument(TrFormat("several models are there; name one after a colon:{}",
                                    "有多个模型，请在冒号后指定一个：{}", list),
                           "name");
  }
  return NotFound(TrFormat("'{}' names no single file there; there are:{}",
                           "'{}' 不能唯一确定文件；可选：{}", selector, list),
                  "name");
}

}  // namespace

Result<HubKind> ParseHubKind(std::string_view name) {
  if (name == "huggingface") return HubKind::kHuggingFace;
  if (name == "modelscope") return HubKind::kModelScope;
  return InvalidArgument(fmt::format("unknown hub '{}': wanted huggingface or modelscope", name),
                         "hub");
}

Result<HubReference> ParseHubReference(std::string_view text) {
  HubReference reference;
  std::string_view rest = text;
  if (const size_t colon = rest.find(':'); colon != std::string_view::npos) {
    reference.selector = std::string(rest.substr(colon + 1));
    rest = rest.substr(0, colon);
    if (!IsSafePath(reference.selector)) {
      return InvalidArgument(TrFormat("'{}': what follows the colon is no file and no quantisation",
                                      "'{}'：冒号后不是有效的文件名或量化名", text),
                             "name");
    }
  }
  if (const size_t at = rest.find('@'); at != std::string_view::npos) {
    reference.revision = std::string(rest.substr(at + 1));
    rest = rest.substr(0, at);
    if (!IsSafePath(reference.revision)) {
      return InvalidArgument(TrFormat("'{}': bad revision", "'{}'：版本名无效", text), "name");
    }
  }
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos || !IsNamePart(rest.substr(0, slash)) ||
      !IsNamePart(rest.substr(slash + 1))) {
    return InvalidArgument(
        TrFormat("'{}' is no model name: wanted ORG/NAME, ORG/NAME:FILE or ORG/NAME:QUANTISATION",
                 "'{}' 不是模型名：应为 组织/名称、组织/名称:文件 或 组织/名称:量化名", text),
        "name");
  }
  reference.repository = std::string(rest);
  return reference;
}

bool IsSafePath(std::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax || path.front() == '/' || path.back() == '/')
    return false;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || c == '\\' || c == ':') return false;
  }
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment.empty() || segment == "." || segment == "..") return false;
    begin = end + 1;
  }
  return true;
}

std::string ListUrl(const HubOptions& hub, const HubReference& reference) {
  const std::string revision = Encode(RevisionOf(hub, reference), false);
  if (hub.kind == HubKind::kHuggingFace) {
    return fmt::format("{}/api/models/{}/tree/{}?recursive=true", hub.url, reference.repository,
                       revision);
  }
  return fmt::format("{}/api/v1/models/{}/repo/files?Revision={}&Recursive=true", hub.url,
                     reference.repository, revision);
}

std::string FileUrl(const HubOptions& hub, const HubReference& reference, std::string_view path) {
  const std::string revision = Encode(RevisionOf(hub, reference), false);
  if (hub.kind == HubKind::kHuggingFace) {
    return fmt::format("{}/{}/resolve/{}/{}", hub.url, reference.repository, revision,
                       Encode(path, true));
  }
  return fmt::format("{}/api/v1/models/{}/repo?Revision={}&FilePath={}", hub.url,
                     reference.repository, revision, Encode(path, false));
}

Result<std::vector<HubFile>> ParseListing(HubKind kind, std::string_view text) {
  Result<json::value> root = ParseJson(text);
  if (!root.ok()) return WrongListing(root.status().message());
  PT_ASSIGN(std::vector<HubFile> files,
            kind == HubKind::kHuggingFace ? HuggingFaceFiles(*root) : ModelScopeFiles(*root));
  if (files.size() > kFilesMax) return WrongListing(fmt::format("{} files", files.size()));
  for (HubFile& file : files) {
    file.sha256 = IsHex(file.sha256, 64) ? Lower(file.sha256) : "";
    file.git_sha1 = IsHex(file.git_sha1, 40) ? Lower(file.git_sha1) : "";
  }
  return files;
}

std::string WithoutSplitNumber(std::string_view path) {
  constexpr std::string_view kShape = "-00001-of-00003.gguf";
  if (path.size() <= kShape.size()) return std::string(path);
  const std::string_view tail = path.substr(path.size() - kShape.size());
  for (size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = std::isdigit(static_cast<unsigned char>(kShape[i])) != 0;
    if (digit ? std::isdigit(static_cast<unsigned char>(tail[i])) == 0 : tail[i] != kShape[i])
      return std::string(path);
  }
  return std::string(path.substr(0, path.size() - kShape.size())) + ".gguf";
}

Result<std::vector<HubFile>> SelectFiles(const std::vector<HubFile>& files,
                                         std::string_view selector) {
  for (const HubFile& file : files) {  // exactly this file
    if (!selector.empty() && file.path == selector && WithoutSplitNumber(file.path) == file.path)
      return std::vector{file};
  }
  std::map<std::string, std::vector<HubFile>> groups;
  for (const HubFile& file : files) {
    if (EndsWith(file.path, ".gguf")) groups[WithoutSplitNumber(file.path)].push_back(file);
  }
  if (!groups.empty()) return SelectGguf(groups, WithoutSplitNumber(selector));
  std::vector<HubFile> folder = SafetensorsFolder(files);
  if (folder.empty())
    return NotFound(
        Tr("no GGUF and no safetensors file is there", "其中没有 GGUF 或 safetensors 文件"),
        "name");
  if (!selector.empty())
    return NotFound(TrFormat("'{}' is not there", "其中没有 '{}'", selector), "name");
  return folder;
}

}  // namespace pingti::store
