// MappedFile: a whole file, read-only, mapped into memory. Move-only; unmapped in the destructor.
// Reading is thread-safe. A file that shrinks while mapped is the operator's error (the kernel sends SIGBUS);
// the loaders therefore keep weights in files that are replaced by rename, never rewritten in place.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "base/result.h"

namespace pingti {

class MappedFile final {
 public:
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  static Result<MappedFile> Open(const std::filesystem::path& path);

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// The whole file as text; an error where it is larger than `bytes_max`.
Result<std::string> ReadFile(const std::filesystem::path& path, size_t bytes_max = 64 << 20);

// Written beside the target, synced, then renamed over it: readers see the old or the new file, never half.
Status WriteFileAtomically(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace pingti
