#include "store/download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/file.h"
#include "base/i18n.h"
#include "base/progress.h"
#include "store/digest.h"

namespace pingti::store {
namespace {

namespace fs = std::filesystem;

constexpr size_t kReadBytes = 1 << 20;
constexpr size_t kEtagBytesMax = 1024;
constexpr int64_t kFirstPauseMs = 500;
constexpr int64_t kPauseMsMax = 10'000;
constexpr uint64_t kSpareDiskBytes = 64 << 20;  // left free beside the file

fs::path Beside(const fs::path& target, const char* ending) {
  return fs::path(target.string() + ending);
}

Status SystemError(std::string_view what, const fs::path& path) {
  const int error = errno;
  const std::string why = std::strerror(error);
  if (error == ENOSPC)
    return ResourceExhausted(
        TrFormat("{}: {}: no space left", "{}：{}：磁盘空间不足", what, path.string()));
  return FailedPrecondition(TrFormat("{}: {}: {}", "{}：{}：{}", what, path.string(), why));
}

// A descriptor that closes itself.
class File final {
 public:
  File(const fs::path& path, int flags)
      : path_(path), descriptor_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  bool ok() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }

  Status Write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return SystemError(Tr("cannot write", "无法写入"), path_);
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return Status::Ok();
  }

 private:
  fs::path path_;
  int descriptor_;
};

// Feeds the first `bytes` bytes of a file to `digest`.
Status AddFile(const fs::path& path, uint64_t bytes, Digest& digest) {
  const File file(path, O_RDONLY);
  if (!file.ok()) return SystemError(Tr("cannot read", "无法读取"), path);
  std::vector<std::byte> buffer(kReadBytes);
  while (bytes > 0) {
    const ssize_t got = read(file.get(), buffer.data(), std::min<uint64_t>(bytes, buffer.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return SystemError(Tr("cannot read", "无法读取"), path);
    digest.Add({buffer.data(), static_cast<size_t>(got)});
    bytes -= static_cast<uint64_t>(got);
  }
  return Status::Ok();
}

bool ParseNumber(std::string_view text, uint64_t& out) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && rest == text.data() + text.size();
}

// "bytes 100-199/200": where the piece begins and how long the whole is (0: unknown).
bool ParseContentRange(std::string_view text, uint64_t& begin, uint64_t& all) {
  if (!text.starts_with("bytes ")) return false;
  text.remove_prefix(6);
  const size_t dash = text.find('-');
  const size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash)
    return false;
  all = 0;
  return ParseNumber(text.substr(0, dash), begin) &&
         (text.substr(slash + 1) == "*" || ParseNumber(text.substr(slash + 1), all));
}

std::string LinkedSha256(const FetchHead& head) {
  std::string_view etag = head.Get("x-linked-etag");
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"')
    etag = etag.substr(1, etag.size() - 2);
  const bool hex = etag.size() == 64 && std::all_of(etag.begin(), etag.end(), [](unsigned char c) {
                     return std::isxdigit(c) != 0;
                   });
  return hex ? std::string(etag) : "";
}

// One file on its way.
class Transfer final {
 public:
  Transfer(Fetcher& fetcher, const DownloadOptions& options)
      : fetcher_(fetcher),
        options_(options),
        part_(Beside(options.target, ".part")),
        etag_file_(Beside(options.target, ".part.etag")),
        all_(options.bytes),
        sha256_(options.sha256) {}

  Status Run();

 private:
  Status Attempt();
  Status OnHead(const FetchHead& head);
  Status OnBody(std::span<const std::byte> bytes);
  Status Restart();
  Status Verify();
  void Pause(int attempt) const;

  Fetcher& fetcher_;
  const DownloadOptions& options_;
  fs::path part_, etag_file_;
  std::unique_ptr<File> file_;
  uint64_t done_ = 0;   // bytes in the part
  uint64_t all_ = 0;    // 0: unknown
  std::string sha256_;  // wanted
  std::string etag_;    // of the part
};

// The part is of no use: begin anew.
Status Transfer::Restart() {
  std::error_code ignored;
  fs::remove(etag_file_, ignored);
  file_ = std::make_unique<File>(part_, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file_->ok()) return SystemError(Tr("cannot write", "无法写入"), part_);
  done_ = 0;
  return Status::Ok();
}

Status Transfer::OnHead(const FetchHead& head) {
  const int32_t status = head.status;
  if (status == 401 || status == 403) {
    return Status(StatusCode::kPermissionDenied,
                  TrFormat("{} answered {}: an access token is needed (PINGTI_HUB_TOKEN)",
                           "{} 返回 {}：需要访问令牌（PINGTI_HUB_TOKEN）", options_.url, status));
  }
  if (status == 404 || status == 410)
    return NotFound(TrFormat("{} answered {}", "{} 返回 {}", options_.url, status));
  if (status == 416) {  // the part is longer than the file, or the file is another one
    PT_TRY(Restart());
    return Unavailable("416");
  }
  if (status != 200 && status != 206)
    return Unavailable(TrFormat("{} answered {}", "{} 返回 {}", options_.url, status));
  uint64_t begin = 0;
  uint64_t all = 0;
  if (status == 206) {
    if (!ParseContentRange(head.Get("content-range"), begin, all) || begin != done_) {
      return DataLoss(TrFormat("{}: wanted the bytes from {}, got '{}'",
                               "{}：请求从 {} 开始的字节，得到 '{}'", options_.url, done_,
                               head.Get("content-range")));
    }
    file_ = std::make_unique<File>(part_, O_WRONLY | O_APPEND);
    if (!file_->ok()) return SystemError(Tr("cannot write", "无法写入"), part_);
  } else {
    PT_TRY(Restart());
    ParseNumber(head.Get("content-length"), all);
  }
  if (all_ != 0 && all != 0 && all != all_) {
    return DataLoss(TrFormat("{}: {} bytes wanted, the server has {}",
                             "{}：应为 {} 字节，服务器为 {}", options_.url, all_, all));
  }
  if (all_ == 0) all_ = all;
  if (sha256_.empty()) sha256_ = LinkedSha256(head);
  etag_ = std::string(head.Get("etag").substr(0, kEtagBytesMax));
  if (etag_.empty() || etag_.starts_with("W/"))
    return Status::Ok();  // a weak one cannot prove that the bytes go on
  return WriteFileAtomically(etag_file_, std::as_bytes(std::span(etag_)));
}

Status Transfer::OnBody(std::span<const std::byte> bytes) {
  if (options_.cancelled && options_.cancelled())
    return Cancelled(Tr("stopped; run again to go on", "已停止；再次运行可继续"));
  if (all_ != 0 && done_ + bytes.size() > all_) {
    return DataLoss(TrFormat("{}: more than the announced {} bytes", "{}：超过声明的 {} 字节",
                             options_.url, all_));
  }
  PT_TRY(file_->Write(bytes));
  done_ += bytes.size();
  if (options_.on_progress) options_.on_progress(done_, all_);
  return Status::Ok();
}

// One request, for the rest where there is a part with a known ETag.
Status Transfer::Attempt() {
  FetchHeaders headers = options_.headers;
  std::error_code error;
  done_ = fs::exists(part_, error) ? fs::file_size(part_, error) : 0;
  const Result<std::string> etag = ReadFile(etag_file_, kEtagBytesMax);
  if (done_ > 0 && all_ != 0 && done_ == all_) return Status::Ok();
  if (done_ > 0 && etag.ok() && !etag->empty()) {
    headers.emplace_back("Range", fmt::format("bytes={}-", done_));
    headers.emplace_back("If-Range", *etag);
  }
  PT_TRY(GetFollowing(
      fetcher_, options_.url, headers, [this](const FetchHead& head) { return OnHead(head); },
      [this](std::span<const std::byte> bytes) { return OnBody(bytes); }));
  if (all_ != 0 && done_ < all_)
    return Unavailable(TrFormat("{} of {} bytes came", "只收到 {} / {} 字节", done_, all_));
  return Status::Ok();
}

Status Transfer::Verify() {
  file_.reset();
  const bool git = sha256_.empty() && !options_.git_sha1.empty();
  if (!sha256_.empty() || git) {
    Digest digest(git ? Digest::Kind::kSha1 : Digest::Kind::kSha256);
    if (git) {
      const std::string head = fmt::format("blob {}", done_);
      digest.Add(std::as_bytes(std::span(head.c_str(), head.size() + 1)));
    }
    PT_TRY(AddFile(part_, done_, digest));
    const std::string found = digest.Hex();
    const std::string& wanted = git ? options_.git_sha1 : sha256_;
    if (found != wanted) {
      std::error_code ignored;
      fs::remove(part_, ignored);
      fs::remove(etag_file_, ignored);
      return DataLoss(
          TrFormat("{}: wrong {}: wanted {}, found {}; the download was removed, run again",
                   "{}：{} 不符：应为 {}，实为 {}；已删除下载内容，请重试",
                   options_.target.filename().string(), git ? "SHA-1" : "SHA-256", wanted, found));
    }
  }
  const File written(part_, O_RDONLY);
  if (!written.ok() || fsync(written.get()) != 0)
    return SystemError(Tr("cannot write", "无法写入"), part_);
  std::error_code error;
  fs::rename(part_, options_.target, error);
  if (error)
    return FailedPrecondition(fmt::format("{}: {}", options_.target.string(), error.message()));
  fs::remove(etag_file_, error);
  return Status::Ok();
}

void Transfer::Pause(int attempt) const {
  const int64_t pause = std::min(kPauseMsMax, kFirstPauseMs << attempt);
  if (options_.sleep) return options_.sleep(pause);
  std::this_thread::sleep_for(std::chrono::milliseconds(pause));
}

Status Transfer::Run() {
  std::error_code error;
  const uint64_t there = fs::exists(part_, error) ? fs::file_size(part_, error) : 0;
  const fs::space_info space = fs::space(options_.target.parent_path(), error);
  if (!error && all_ > there && all_ - there + kSpareDiskBytes > space.available) {
    return ResourceExhausted(TrFormat(
        "{}: {} are needed, {} are free; free some space or use --models-dir",
        "{}：需要 {}，可用 {}；请清理磁盘或使用 --models-dir",
        options_.target.parent_path().string(), FormatBytes(static_cast<double>(all_ - there)),
        FormatBytes(static_cast<double>(space.available))));
  }
  for (int failures = 0;;) {
    const uint64_t before = done_;
    const Status status = Attempt();
    if (status.ok()) return Verify();
    if (status.code() != StatusCode::kUnavailable) return status;
    failures = done_ > before ? 0 : failures + 1;
    if (failures > options_.retries) return status;
    Pause(failures);
  }
}

}  // namespace

Result<std::string> FileSha256(const fs::path& path) {
  std::error_code error;
  const uint64_t bytes = fs::file_size(path, error);
  if (error) return NotFound(fmt::format("{}: {}", path.string(), error.message()));
  Digest digest(Digest::Kind::kSha256);
  PT_TRY(AddFile(path, bytes, digest));
  return digest.Hex();
}

Status Download(Fetcher& fetcher, const DownloadOptions& options) {
  std::error_code error;
  fs::create_directories(options.target.parent_path(), error);
  if (error)
    return FailedPrecondition(
        fmt::format("{}: {}", options.target.parent_path().string(), error.message()));
  const File lock(Beside(options.target, ".lock"), O_RDWR | O_CREAT);
  if (!lock.ok())
    return SystemError(Tr("cannot write", "无法写入"), Beside(options.target, ".lock"));
  while (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (options.cancelled && options.cancelled()) return Cancelled(Tr("stopped", "已停止"));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  if (fs::exists(options.target, error) &&
      (options.bytes == 0 || fs::file_size(options.target, error) == options.bytes)) {
    return Status::Ok();
  }
  const Status status = Transfer(fetcher, options).Run();
  if (status.ok()) fs::remove(Beside(options.target, ".lock"), error);
  return status;
}

}  // namespace pingti::store
