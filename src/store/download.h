// Download: a file of a web address to a place on disk, so that it is seen there only whole and
// right.
//
// Bytes go to TARGET.part, the server's ETag to TARGET.part.etag; a cut download goes on from there
// with a Range request that holds only for the same ETag. The SHA-256 is computed on the way and
// compared before the rename. TARGET.lock keeps two processes from writing the same file: the
// second waits, then finds it done.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/result.h"
#include "store/fetcher.h"

namespace pingti::store {

struct DownloadOptions {
  std::string url;
  FetchHeaders headers;
  std::filesystem::path target;
  uint64_t bytes = 0;    // as the hub says; 0: unknown
  std::string sha256;    // hex; empty: take the answer's X-Linked-Etag where that is one
  std::string git_sha1;  // hex, used where there is no sha256
  int retries = 5;       // after a broken connection, in a row without a new byte
  std::function<void(int64_t milliseconds)> sleep;  // before a retry; empty: this thread sleeps
  std::function<void(uint64_t done, uint64_t all)> on_progress;
  std::function<bool()> cancelled;  // asked now and then; true: stop, keep the part
};

// Ok: the target is there, with the right size and sum. An existing target of the right size is
// kept without a request. Errors: DataLoss (wrong sum: both are named and the part is removed),
// ResourceExhausted (no room on the disk: checked before), NotFound, PermissionDenied, Unavailable
// (the network; the part stays), Cancelled.
Status Download(Fetcher& fetcher, const DownloadOptions& options);

// Lower-case hex SHA-256 of a file.
Result<std::string> FileSha256(const std::filesystem::path& path);

}  // namespace pingti::store
