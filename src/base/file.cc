#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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

Status WriteFileAtomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  const std::filesystem::path beside = path.string() + ".tmp" + std::to_string(::getpid());
  {
    const Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) return SystemError("cannot create", beside);
    if (Status status = WriteAll(file.get(), bytes, beside); !status.ok()) {
      ::unlink(beside.c_str());
      return status;
    }
    if (::fsync(file.get()) != 0) return SystemError("cannot sync", beside);
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return SystemError("cannot rename to", path);
  return Status::Ok();
}

}  // namespace pingti
