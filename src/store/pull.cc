#include "store/pull.h"

#include <fmt/format.h>

#include "base/i18n.h"
#include "base/progress.h"
#include "store/download.h"

namespace pingti::store {
namespace {

namespace fs = std::filesystem;

constexpr size_t kListingBytesMax = 32 << 20;
constexpr uint64_t kSpareDiskBytes = 64 << 20;

FetchHeaders HeadersOf(const HubOptions& hub) {
  FetchHeaders headers = {{"User-Agent", "pingti"}};
  if (!hub.token.empty()) headers.emplace_back("Authorization", "Bearer " + hub.token);
  return headers;
}

Status Offline(const Status& error, const HubOptions& hub, const fs::path& folder) {
  return Unavailable(
      TrFormat("cannot reach {}: {}\nWithout it: set a mirror (PINGTI_HUB_URL=https://...), a "
               "proxy (HTTPS_PROXY=http://...) or the "
               "other hub (--hub modelscope), or copy the model's files into {}",
               "无法访问 "
               "{}：{}\n可以：设置镜像（PINGTI_HUB_URL=https://...）、代理（HTTPS_PROXY=http://"
               "...）或另一个仓库（--hub "
               "modelscope），或把模型文件复制到 {}",
               hub.url, error.message(), folder.string()));
}

// All files together, before the first byte: less those that are there.
Status CheckDisk(const std::vector<HubFile>& files, const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return FailedPrecondition(fmt::format("{}: {}", folder.string(), error.message()));
  uint64_t needed = 0;
  for (const HubFile& file : files) {
    const bool there = fs::exists(folder / file.path, error) &&
                       fs::file_size(folder / file.path, error) == file.bytes;
    const fs::path part = folder / (file.path + ".part");
    const uint64_t begun = fs::exists(part, error) ? fs::file_size(part, error) : 0;
    needed += there ? 0 : file.bytes - std::min(begun, file.bytes);
  }
  const fs::space_info space = fs::space(folder, error);
  if (error || needed == 0 || needed + kSpareDiskBytes <= space.available) return Status::Ok();
  return ResourceExhausted(TrFormat(
      "{}: {} are needed, {} are free; free some space or choose another folder with --models-dir",
      "{}：需要 {}，可用 {}；请清理磁盘或用 --models-dir 选择其他文件夹", folder.string(),
      FormatBytes(static_cast<double>(needed)), FormatBytes(static_cast<double>(space.available))));
}

}  // namespace

Result<fs::path> Pull(Fetcher& fetcher, const ModelFolders& folders, const PullOptions& options) {
  const fs::path folder = folders.FolderOf(options.reference.repository);
  const FetchHeaders headers = HeadersOf(options.hub);
  const Result<std::string> listing =
      GetText(fetcher, ListUrl(options.hub, options.reference), headers, kListingBytesMax);
  if (!listing.ok() && listing.status().code() == StatusCode::kUnavailable)
    return Offline(listing.status(), options.hub, folder);
  if (!listing.ok()) return listing.status();
  PT_ASSIGN(const std::vector<HubFile> all, ParseListing(options.hub.kind, *listing));
  PT_ASSIGN(const std::vector<HubFile> files, SelectFiles(all, options.reference.selector));
  PT_TRY(CheckDisk(files, folder));
  if (options.on_files) options.on_files(files);
  for (size_t i = 0; i < files.size(); ++i) {
    DownloadOptions download{.url = FileUrl(options.hub, options.reference, files[i].path),
                             .headers = headers,
                             .target = folder / files[i].path,
                             .bytes = files[i].bytes,
                             .sha256 = files[i].sha256,
                             .git_sha1 = files[i].git_sha1,
                             .sleep = {},
                             .on_progress = {},
                             .cancelled = options.cancelled};
    if (options.on_progress)
      download.on_progress = [&, i](uint64_t done, uint64_t bytes) {
        options.on_progress(i, done, bytes);
      };
    PT_TRY(Download(fetcher, download));
    if (options.on_file_done) options.on_file_done(i);
  }
  for (const HubFile& file : files) {
    if (!file.path.ends_with(".safetensors")) continue;
    PT_TRY(CheckModelFolder(folder));
    return folder;
  }
  return folder / files.front().path;
}

}  // namespace pingti::store
