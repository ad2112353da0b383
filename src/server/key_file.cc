#include "server/key_file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "base/check.h"
#include "base/file.h"

namespace pingti::server {

namespace {

constexpr size_t kFileBytesMax = 4 << 20;
constexpr size_t kNameBytesMax = 64;
constexpr size_t kHintBytes = 7;  // "pt_" and four more: 24 of 256 bits
constexpr std::string_view kKeyPrefix = "pt_";

// Holds other writers off; a lock on the file itself would go with the file that a writer replaces.
class FolderLock final {
 public:
  explicit FolderLock(const std::filesystem::path& file) {
    const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
    fd_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd_ >= 0) ::flock(fd_, LOCK_EX);
  }
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_;
};

// Calls visit(line, entry or nullptr) for each line; the line has no line feed.
Status ForEachLine(
    const std::filesystem::path& file, const std::string& text,
    const std::function<void(std::string_view line, const KeyEntry* maybe_entry)>& visit) {
  std::string_view rest = text;
  size_t keys = 0;
  for (int number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    auto entry = ParseKeyLine(line, keys + 1);
    if (!entry.ok())
      return entry.status().WithContext(file.string() + ":" + std::to_string(number));
    if (*entry && ++keys > kKeysMax) {
      return InvalidArgument(file.string() + ": more than " + std::to_string(kKeysMax) + " keys",
                             "api_key_file");
    }
    visit(line, *entry ? &**entry : nullptr);
  }
  return Status::Ok();
}

Status WriteText(const std::filesystem::path& file, const std::string& text) {
  return WriteFileAtomically(file, std::as_bytes(std::span(text)), AtomicFile::Access::kPrivate);
}

bool GoodName(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '#' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c == '@';
         });
}

}  // namespace

NewKey MakeKey() {
  unsigned char random[32];
  PT_CHECK(RAND_bytes(random, sizeof random) == 1, "no random numbers from the system");
  unsigned char base64[48];
  const int size = EVP_EncodeBlock(base64, random, sizeof random);
  std::string text(reinterpret_cast<const char*>(base64), static_cast<size_t>(size));
  while (text.ends_with('=')) text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  text.insert(0, kKeyPrefix);
  return {.text = text, .hint = text.substr(0, kHintBytes)};
}

Result<std::vector<KeyEntry>> ReadKeyFile(const std::filesystem::path& file) {
  PT_ASSIGN(const std::string text, ReadFile(file, kFileBytesMax));
  std::vector<KeyEntry> entries;
  PT_TRY(ForEachLine(file, text, [&](std::string_view, const KeyEntry* maybe_entry) {
    if (maybe_entry != nullptr) entries.push_back(*maybe_entry);
  }));
  return entries;
}

Status AddKey(const std::filesystem::path& file, const KeyEntry& entry) {
  if (!GoodName(entry.name)) {
    return InvalidArgument(
        "a key's name has 1 to 64 letters, digits, '.', '_', '-' or '@', found '" +
            entry.name.substr(0, 80) + "'",
        "name");
  }
  const FolderLock lock(file);
  std::string text;
  if (std::filesystem::exists(file)) {
    PT_ASSIGN(text, ReadFile(file, kFileBytesMax));
  }
  bool taken = false;
  PT_TRY(ForEachLine(file, text, [&](std::string_view, const KeyEntry* maybe_entry) {
    taken = taken || (maybe_entry != nullptr && maybe_entry->name == entry.name);
  }));
  if (taken)
    return InvalidArgument("there is a key named '" + entry.name + "' already; revoke it first",
                           "name");
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  return WriteText(file, text + FormatKeyLine(entry) + "\n");
}

Status RemoveKey(const std::filesystem::path& file, const std::string& name) {
  const FolderLock lock(file);
  PT_ASSIGN(const std::string text, ReadFile(file, kFileBytesMax));
  std::string kept;
  bool found = false;
  PT_TRY(ForEachLine(file, text, [&](std::string_view line, const KeyEntry* maybe_entry) {
    if (maybe_entry != nullptr && maybe_entry->name == name) {
      found = true;
    } else {
      kept += std::string(line) + "\n";
    }
  }));
  if (!found) return NotFound("no key is named '" + name + "' in " + file.string(), "name");
  return WriteText(file, kept);
}

}  // namespace pingti::server
