// RepackFile: the repacked weights of one model for one kernel table, kept on disk so that the next
// start maps them instead of packing again. A copy only: whatever is wrong with it (another
// version, truncated, changed bytes), it is refused and made anew. Layout of the file:
// docs/formats/repack.md. Readers are immutable and thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "base/thread_pool.h"

namespace pingti::models {

// Changes when the bytes of a layout change their meaning under the same name.
inline constexpr uint32_t kRepackVersion = 1;

// Whose weights these are.
struct RepackKey {
  std::string fingerprint;  // ModelFile::Fingerprint
  std::string isa;          // the kernel table that they were packed for
};
std::filesystem::path RepackPath(const std::filesystem::path& folder, const RepackKey& key);

// One packed matrix.
struct RepackEntry {
  std::string name;    // of its tensors
  std::string layout;  // ops::Linear's
  std::span<const std::byte> bytes;
};

class RepackFile final {
 public:
  // Maps and checks all of it, the weights' checksums with all workers of `pool` (which also brings
  // them into memory).
  static Result<RepackFile> Open(const std::filesystem::path& path, const RepackKey& key,
                                 ThreadPool& pool);

  // nullptr where it has none of that name.
  const RepackEntry* Find(std::string_view name) const;
  size_t size() const { return entries_.size(); }

 private:
  MappedFile map_;
  std::map<std::string, RepackEntry, std::less<>> entries_;
};

// Writes such a file matrix by matrix; nothing is there before Commit.
class RepackWriter final {
 public:
  static Result<RepackWriter> Create(const std::filesystem::path& path, const RepackKey& key);
  Status Append(std::string_view name, std::string_view layout, std::span<const std::byte> bytes);
  Status Commit();

 private:
  RepackWriter(AtomicFile file, RepackKey key) : file_(std::move(file)), key_(std::move(key)) {}
  AtomicFile file_;
  RepackKey key_;
  std::string directory_;
  uint32_t count_ = 0;
};

// Removes the least recently used repacked files of `folder` (never `keep`) until all together have
// at most `bytes_max`, and what interrupted writers have left behind.
void TrimRepackFolder(const std::filesystem::path& folder, const std::filesystem::path& keep,
                      uintmax_t bytes_max);

}  // namespace pingti::models
