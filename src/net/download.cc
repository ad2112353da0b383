#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <system_error>

#include "base/file.h"
#include "net/http_client.h"
#include "net/loop.h"

namespace pingti::net {

namespace {

constexpr int64_t kProgressMs = 100;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

std::filesystem::path WithSuffix(const std::filesystem::path& path, const char* suffix) {
  return std::filesystem::path(path.string() + suffix);
}

uint64_t ParseNumber(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// What names this version of the server's file, for If-Range: a strong ETag, else the date.
std::string Validator(const Headers& headers) {
  const std::string_view etag = headers.Get("ETag");
  if (!etag.empty() && !etag.starts_with("W/")) return std::string(etag);
  return std::string(headers.Get("Last-Modified"));
}

// The .part file and what is known of the whole.
class Part final {
 public:
  explicit Part(const DownloadOptions& options)
      : options_(options), path_(WithSuffix(options.path, ".part")), mark_(WithSuffix(options.path, ".part.version")) {}

  void AskForRest(Headers& headers) {
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(path_, error);
    auto version = ReadFile(mark_, 4096);
    if (!options_.resume || error || size == 0 || !version.ok() || version->empty()) return;
    done_ = size;
    headers.Set("Range", "bytes=" + std::to_string(size) + "-");
    headers.Set("If-Range", *version);
  }

  // false: not a file (an error page), or one that is too large.
  bool Begin(const Response& head) {
    if (head.status != 200 && head.status != 206) return false;
    if (head.status == 206 && !BelongsTo(head.headers.Get("Content-Range"))) {
      failure_ = DataLoss("the server answered another range than asked for: " +
                          std::string(head.headers.Get("Content-Range")));
      return false;
    }
    if (head.status == 200) done_ = 0;
    const uint64_t rest = ParseNumber(head.headers.Get("Content-Length"));
    all_ = rest == 0 ? 0 : done_ + rest;
    if (all_ > options_.bytes_max) return TooLarge();
    const std::string version = Validator(head.headers);
    std::ofstream(mark_, std::ios::binary | std::ios::trunc) << version;
    file_.reset(std::fopen(path_.c_str(), done_ == 0 ? "wb" : "ab"));
    if (!file_) failure_ = Unavailable("cannot write " + path_.string());
    return file_ != nullptr;
  }

  bool Append(std::string_view piece) {
    if (done_ + piece.size() > options_.bytes_max) return TooLarge();
    if (std::fwrite(piece.data(), 1, piece.size(), file_.get()) != piece.size()) {
      failure_ = Unavailable("cannot write " + path_.string() + ": is the disk full?");
      return false;
    }
    done_ += piece.size();
    Report(false);
    return true;
  }

  Result<uint64_t> Commit() {
    if (std::FILE* file = file_.release(); file == nullptr || std::fclose(file) != 0) {
      return Unavailable("cannot write " + path_.string());
    }
    if (all_ != 0 && done_ != all_) {
      return DataLoss(options_.path.string() + ": wanted " + std::to_string(all_) + " bytes, found " +
                      std::to_string(done_));
    }
    std::error_code error;
    std::filesystem::rename(path_, options_.path, error);
    if (error) return Unavailable("cannot rename " + path_.string() + ": " + error.message());
    std::filesystem::remove(mark_, error);
    Report(true);
    return done_;
  }

  void Close() { file_.reset(); }
  void Forget() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
    std::filesystem::remove(mark_, ignored);
  }
  const Status& failure() const { return failure_; }
  bool asked_for_rest() const { return done_ > 0; }

 private:
  // "bytes 100-199/200" must begin where the .part ends.
  bool BelongsTo(std::string_view range) const { return range.starts_with("bytes " + std::to_string(done_) + "-"); }

  bool TooLarge() {
    failure_ = ResourceExhausted(options_.fetch.url + " is larger than " + std::to_string(options_.bytes_max) + " bytes");
    return false;
  }

  void Report(bool last) {
    const int64_t now = NowMs();
    if (!options_.on_progress || (!last && now - reported_ms_ < kProgressMs)) return;
    reported_ms_ = now;
    options_.on_progress(done_, all_);
  }

  const DownloadOptions& options_;
  std::filesystem::path path_;
  std::filesystem::path mark_;
  File file_;
  uint64_t done_ = 0;
  uint64_t all_ = 0;
  int64_t reported_ms_ = 0;
  Status failure_;
};

}  // namespace

Result<uint64_t> Download(const DownloadOptions& options) {
  Part part(options);
  FetchOptions fetch = options.fetch;
  part.AskForRest(fetch.headers);
  fetch.on_body = [&](std::string_view piece) { return part.Append(piece); };
  int32_t status = 0;
  fetch.on_head = [&](const Response& head) {
    status = head.status;
    return part.Begin(head);
  };
  auto answer = Fetch(fetch);
  if (answer.ok()) return part.Commit();
  part.Close();
  if (!part.failure().ok()) return part.failure();
  if (status == 416 && part.asked_for_rest()) {
    // The .part does not fit the file any more: once more, from the start.
    part.Forget();
    return Download(options);
  }
  if (status == 404) return NotFound("there is no " + options.fetch.url);
  if (status == 401 || status == 403) {
    return Status(StatusCode::kPermissionDenied, options.fetch.url + " answered " + std::to_string(status));
  }
  if (status != 0 && status != 200 && status != 206) {
    return Unavailable(options.fetch.url + " answered " + std::to_string(status));
  }
  return answer.status();
}

}  // namespace pingti::net
