#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace pingti {
namespace {

class Descriptor final {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Status SystemError(const std::string& what, const std::filesystem::path& path) {
  const int error = errno;
  const std::string message = what + " " + path.string() + ": " + std::strerror(error);
  if (error == ENOENT || error == ENOTDIR) return NotFound(message);
  if (error == ENOSPC) return ResourceExhausted(message);
  return FailedPrecondition(message);
}

Status WriteAll(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return SystemError("cannot write", path);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return Status::Ok();
}

}  // namespace

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<MappedFile> MappedFile::Open(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError("cannot open", path);
  struct stat info = {};
  if (::fstat(file.get(), &info) != 0) return SystemError("cannot stat", path);
  if (!S_ISREG(info.st_mode)) return InvalidArgument(path.string() + " is not a regular file");
  MappedFile mapped;
  mapped.path_ = path;
  if (info.st_size == 0) return mapped;
  void* data = ::mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) return SystemError("cannot map", path);
  mapped.data_ = static_cast<const std::byte*>(data);
  mapped.size_ = static_cast<size_t>(info.st_size);
  return mapped;
}

Result<std::string> ReadFile(const std::filesystem::path& path, size_t bytes_max) {
  PT_ASSIGN(const MappedFile file, MappedFile::Open(path));
  if (file.bytes().size() > bytes_max) {
    return InvalidArgument(path.string() + " has " + std::to_string(file.bytes().size()) +
                           " bytes, at most " + std::to_string(bytes_max) + " are read");
  }
  return std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)),
      beside_(std::move(other.beside_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(std::exchange(other.size_, 0)) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  std::swap(target_, other.target_);
  std::swap(beside_, other.beside_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

AtomicFile::~AtomicFile() { Discard(); }

void AtomicFile::Discard() {
  if (fd_ < 0) return;
  ::close(std::exchange(fd_, -1));
  ::unlink(beside_.c_str());
}

Result<AtomicFile> AtomicFile::Create(const std::filesystem::path& target, Access access) {
  // Several threads of several processes may write the same target.
  static std::atomic<uint64_t> count = 0;
  AtomicFile file;
  file.target_ = target;
  file.beside_ = target.string() + ".tmp" + std::to_string(::getpid()) + "." + std::to_string(count++);
  const mode_t mode = access == Access::kPrivate ? 0600 : 0644;
  file.fd_ = ::open(file.beside_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (file.fd_ < 0) return SystemError("cannot create", file.beside_);
  struct stat before {};
  if (access == Access::kPrivate && ::stat(target.c_str(), &before) == 0) {
    // The mode only with the owner: a group's right must not pass to another group.
    if (::fchown(file.fd_, before.st_uid, before.st_gid) == 0) ::fchmod(file.fd_, before.st_mode & 0777);
  }
  return file;
}

Status AtomicFile::Append(std::span<const std::byte> bytes) {
  PT_TRY(WriteAll(fd_, bytes, beside_));
  size_ += bytes.size();
  return Status::Ok();
}

Status AtomicFile::WriteAt(size_t offset, std::span<const std::byte> bytes) {
  PT_CHECK(offset + bytes.size() <= size_, "WriteAt is for bytes that are there");
  if (::lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0) return SystemError("cannot seek", beside_);
  PT_TRY(WriteAll(fd_, bytes, beside_));
  if (::lseek(fd_, 0, SEEK_END) < 0) return SystemError("cannot seek", beside_);
  return Status::Ok();
}

Status AtomicFile::Commit(bool durable) {
  if (durable && ::fsync(fd_) != 0) return SystemError("cannot sync", beside_);
  if (::rename(beside_.c_str(), target_.c_str()) != 0) return SystemError("cannot rename to", target_);
  ::close(std::exchange(fd_, -1));
  return Status::Ok();
}

Status WriteFileAtomically(const std::filesystem::path& path, std::span<const std::byte> bytes,
                           AtomicFile::Access access) {
  PT_ASSIGN(AtomicFile file, AtomicFile::Create(path, access));
  PT_TRY(file.Append(bytes));
  return file.Commit(true);
}

void ReleasePages(std::span<const std::byte> bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t begin = (first + page - 1) / page * page;
  const uintptr_t end = (first + bytes.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace pingti
