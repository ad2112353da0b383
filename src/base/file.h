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

// AtomicFile: a new file written beside its target and renamed over it by Commit: readers see the old or the new file,
// never half. Without Commit nothing remains. Move-only; used by one thread.
class AtomicFile final {
 public:
  // kPrivate: a new file is its owner's alone (0600); one that replaces another takes over its mode and owner.
  enum class Access { kEveryoneReads, kPrivate };

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  static Result<AtomicFile> Create(const std::filesystem::path& target, Access access = Access::kEveryoneReads);
  Status Append(std::span<const std::byte> bytes);
  // Overwrites bytes that are already there.
  Status WriteAt(size_t offset, std::span<const std::byte> bytes);
  size_t size() const { return size_; }
  // `durable`: on the disk before the name is; a file that can be made again does not need it.
  Status Commit(bool durable);

 private:
  AtomicFile() = default;
  void Discard();

  std::filesystem::path target_;
  std::filesystem::path beside_;
  int fd_ = -1;
  size_t size_ = 0;
};

// Written beside the target, synced, then renamed over it: readers see the old or the new file, never half.
Status WriteFileAtomically(const std::filesystem::path& path, std::span<const std::byte> bytes,
                           AtomicFile::Access access = AtomicFile::Access::kEveryoneReads);

// Tells the system that the whole pages within `bytes` of a mapped file are not needed soon: they leave this process's
// resident memory and come back from the file when touched.
void ReleasePages(std::span<const std::byte> bytes);

}  // namespace pingti
