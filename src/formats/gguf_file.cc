#include "formats/gguf_file.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <system_error>
#include <unordered_map>

#include "base/file.h"
#include "formats/gguf.h"
#include "formats/gguf_metadata.h"

namespace pingti::formats {
namespace {

constexpr std::string_view kExtension = ".gguf";
constexpr size_t kSplitDigits = 5;

struct Part {
  MappedFile map;
  Gguf gguf;  // borrows from map
  int64_t modified_ns = 0;
};

class GgufFile final : public ModelFile {
 public:
  GgufFile(std::filesystem::path path, std::vector<Part> parts)
      : path_(std::move(path)), parts_(std::move(parts)) {
    metadata_ = GgufMetadata(std::move(parts_.front().gguf.entries));
    for (Part& part : parts_) {
      std::ranges::move(part.gguf.tensors, std::back_inserter(tensors_));
    }
    for (const TensorView& tensor : tensors_) by_name_.emplace(tensor.name, &tensor);
  }

  // Names are unique within a part; across parts this says so.
  Status CheckNames() const {
    if (by_name_.size() == tensors_.size()) return Status::Ok();
    for (const TensorView& tensor : tensors_) {
      if (by_name_.at(tensor.name) != &tensor) {
        return DataLoss(fmt::format("tensor '{}' is in two parts of the set", tensor.name),
                        tensor.name);
      }
    }
    return Status::Ok();
  }

  Result<std::optional<std::string>> String(std::string_view key) const override {
    return metadata_.String(key);
  }
  Result<std::optional<int64_t>> Int(std::string_view key) const override {
    return metadata_.Int(key);
  }
  Result<std::optional<double>> Float(std::string_view key) const override {
    return metadata_.Float(key);
  }
  Result<std::optional<bool>> Bool(std::string_view key) const override {
    return metadata_.Bool(key);
  }
  Result<std::optional<std::vector<std::string>>> Strings(std::string_view key) const override {
    return metadata_.Strings(key);
  }
  Result<std::optional<std::vector<int64_t>>> Ints(std::string_view key) const override {
    return metadata_.Ints(key);
  }
  Result<std::optional<std::vector<float>>> Floats(std::string_view key) const override {
    return metadata_.Floats(key);
  }

  const TensorView* FindTensor(std::string_view name) const override {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
  }
  const std::vector<TensorView>& tensors() const override { return tensors_; }
  const std::filesystem::path& path() const override { return path_; }
  std::string Fingerprint() const override;

 private:
  std::filesystem::path path_;
  std::vector<Part> parts_;
  GgufMetadata metadata_;  // of the first part
  std::vector<TensorView> tensors_;
  std::unordered_map<std::string_view, const TensorView*> by_name_;
};

std::string GgufFile::Fingerprint() const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(),
                                                                       &EVP_MD_CTX_free);
  bool ok = digest != nullptr && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1;
  for (const Part& part : parts_) {
    const uint64_t bytes = part.map.bytes().size();
    ok = ok &&
         EVP_DigestUpdate(digest.get(), part.map.bytes().data(), part.gguf.directory_bytes) == 1;
    ok = ok && EVP_DigestUpdate(digest.get(), &bytes, sizeof(bytes)) == 1;
    ok = ok && EVP_DigestUpdate(digest.get(), &part.modified_ns, sizeof(part.modified_ns)) == 1;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash = {};
  unsigned int hash_bytes = 0;
  ok = ok && EVP_DigestFinal_ex(digest.get(), hash.data(), &hash_bytes) == 1;
  PT_CHECK(ok, "SHA-256 failed");
  std::string hex;
  for (unsigned int i = 0; i < hash_bytes; ++i) hex += fmt::format("{:02x}", hash[i]);
  return hex;
}

Result<Part> OpenPart(const std::filesystem::path& path) {
  Part part;
  PT_ASSIGN(part.map, MappedFile::Open(path));
  std::error_code error;
  const std::filesystem::file_time_type modified = std::filesystem::last_write_time(path, error);
  if (error) return FailedPrecondition("cannot stat " + path.string() + ": " + error.message());
  part.modified_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(modified.time_since_epoch()).count();
  Result<Gguf> gguf = ParseGguf(part.map.bytes());
  if (!gguf.ok()) return gguf.status().WithContext(path.string());
  part.gguf = std::move(gguf).value();
  return part;
}

// One of the split.* keys, which count from 0 and fit into int32_t.
Result<std::optional<int32_t>> SplitKey(const Gguf& gguf, std::string_view key) {
  PT_ASSIGN(const std::optional<int64_t> value, GgufMetadata(gguf.entries).Int(key));
  if (!value) return std::optional<int32_t>();
  if (*value < 0 || *value > std::numeric_limits<int32_t>::max()) {
    return DataLoss(fmt::format("metadata key '{}' is {}", key, *value), std::string(key));
  }
  return std::optional(static_cast<int32_t>(*value));
}

// Part `name.part` of a set says the same of itself as its name does.
Status CheckPart(const Part& part, const SplitName& name) {
  PT_ASSIGN(const std::optional<int32_t> number, SplitKey(part.gguf, "split.no"));
  PT_ASSIGN(const std::optional<int32_t> count, SplitKey(part.gguf, "split.count"));
  if (number.value_or(-1) + 1 != name.part || count.value_or(-1) != name.count) {
    return DataLoss(
        fmt::format(
            "its name says part {} of {}, its metadata part {} of {} (split.no, split.count)",
            name.part, name.count, number.value_or(-1) + 1, count.value_or(-1)),
        "split.no");
  }
  return Status::Ok();
}

Result<std::vector<Part>> OpenParts(const std::filesystem::path& folder, SplitName name) {
  std::vector<Part> parts;
  for (name.part = 1; name.part <= name.count; ++name.part) {
    const std::filesystem::path path = folder / MakeSplitName(name);
    Result<Part> part = OpenPart(path);
    if (part.status().code() == StatusCode::kNotFound) {
      return NotFound(fmt::format("part {} of {} of the model is missing: {}", name.part,
                                  name.count, path.string()));
    }
    if (!part.ok()) return part.status();
    const Status checked = CheckPart(*part, name);
    if (!checked.ok()) return checked.WithContext(path.string());
    parts.push_back(std::move(part).value());
  }
  return parts;
}

Status CheckTensorCount(const std::vector<Part>& parts) {
  constexpr std::string_view kKey = "split.tensors.count";
  PT_ASSIGN(const std::optional<int32_t> wanted, SplitKey(parts.front().gguf, kKey));
  size_t found = 0;
  for (const Part& part : parts) found += part.gguf.tensors.size();
  if (wanted && static_cast<size_t>(*wanted) != found) {
    return DataLoss(fmt::format("{} is {}, the parts hold {} tensors", kKey, *wanted, found),
                    std::string(kKey));
  }
  return Status::Ok();
}

Result<std::unique_ptr<ModelFile>> MakeFile(const std::filesystem::path& path,
                                            std::vector<Part> parts) {
  auto file = std::make_unique<GgufFile>(path, std::move(parts));
  if (Status status = file->CheckNames(); !status.ok()) return status.WithContext(path.string());
  return std::unique_ptr<ModelFile>(std::move(file));
}

// The number that `text` is, in exactly kSplitDigits digits.
std::optional<int32_t> ParseSplitNumber(std::string_view text) {
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.size() != kSplitDigits ||
      value < 1) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::optional<SplitName> ParseSplitName(const std::string& file_name) {
  constexpr std::string_view kOf = "-of-";
  constexpr size_t kSuffixBytes = 1 + kSplitDigits + kOf.size() + kSplitDigits + kExtension.size();
  const std::string_view name = file_name;
  if (name.size() <= kSuffixBytes || !name.ends_with(kExtension)) return std::nullopt;
  const std::string_view suffix = name.substr(name.size() - kSuffixBytes);
  if (suffix[0] != '-' || suffix.substr(1 + kSplitDigits, kOf.size()) != kOf) return std::nullopt;
  const std::optional<int32_t> part = ParseSplitNumber(suffix.substr(1, kSplitDigits));
  const std::optional<int32_t> count =
      ParseSplitNumber(suffix.substr(1 + kSplitDigits + kOf.size(), kSplitDigits));
  if (!part || !count || *part > *count) return std::nullopt;
  return SplitName{.stem = std::string(name.substr(0, name.size() - kSuffixBytes)),
                   .part = *part,
                   .count = *count};
}

std::string MakeSplitName(const SplitName& name) {
  return fmt::format("{}-{:05}-of-{:05}{}", name.stem, name.part, name.count, kExtension);
}

Result<std::unique_ptr<ModelFile>> OpenGgufFile(const std::filesystem::path& path) {
  PT_ASSIGN(Part part, OpenPart(path));
  const Result<std::optional<int32_t>> count = SplitKey(part.gguf, "split.count");
  if (!count.ok()) return count.status().WithContext(path.string());
  if (count->value_or(1) <= 1) {
    std::vector<Part> parts;
    parts.push_back(std::move(part));
    return MakeFile(path, std::move(parts));
  }
  const std::optional<SplitName> name = ParseSplitName(path.filename().string());
  if (!name) {
    return InvalidArgument(
        fmt::format("{} is one of {} parts of a model, but its name does not end with "
                    "-0000K-of-{:05}{}: the other parts cannot be found",
                    path.string(), **count, **count, kExtension),
        "split.count");
  }
  PT_ASSIGN(std::vector<Part> parts, OpenParts(path.parent_path(), *name));
  if (Status status = CheckTensorCount(parts); !status.ok())
    return status.WithContext(path.string());
  SplitName first = *name;
  first.part = 1;
  return MakeFile(path.parent_path() / MakeSplitName(first), std::move(parts));
}

}  // namespace pingti::formats
