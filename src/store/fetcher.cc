#include "store/fetcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/i18n.h"

namespace pingti::store {
namespace {

constexpr int kRedirectsMax = 5;

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
           return std::tolower(x) == std::tolower(y);
         });
}

bool IsRedirect(int32_t status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Where the path begins: after "scheme://host".
size_t PathBegin(std::string_view url) {
  const size_t scheme = url.find("://");
  const size_t from = scheme == std::string_view::npos ? 0 : scheme + 3;
  return std::min(url.find_first_of("/?#", from), url.size());
}

}  // namespace

std::string_view FetchHead::Get(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (SameName(key, name)) return value;
  }
  return {};
}

std::string OriginOf(std::string_view url) {
  std::string origin(url.substr(0, PathBegin(url)));
  for (char& c : origin) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return origin;
}

std::string ResolveUrl(std::string_view base, std::string_view location) {
  const std::string_view head = location.substr(0, location.find_first_of("/?#"));
  if (head.find(':') != std::string_view::npos) return std::string(location);
  if (location.starts_with("//"))
    return std::string(base.substr(0, base.find("//"))) + std::string(location);
  const size_t path = PathBegin(base);
  if (location.starts_with("/")) return std::string(base.substr(0, path)) + std::string(location);
  const std::string_view whole = base.substr(0, std::min(base.find_first_of("?#"), base.size()));
  const size_t slash = whole.rfind('/');
  const std::string folder = slash == std::string_view::npos || slash < path
                                 ? std::string(whole) + "/"
                                 : std::string(whole.substr(0, slash + 1));
  return folder + std::string(location);
}

Status GetFollowing(Fetcher& fetcher, std::string url, FetchHeaders headers,
                    const Fetcher::OnHead& on_head, const Fetcher::OnBody& on_body) {
  const std::string first_origin = OriginOf(url);
  std::string linked_etag;
  for (int redirects = 0; redirects <= kRedirectsMax; ++redirects) {
    std::string location;
    const auto head = [&](const FetchHead& got) -> Status {
      if (linked_etag.empty()) linked_etag = std::string(got.Get("x-linked-etag"));
      if (IsRedirect(got.status)) {
        location = std::string(got.Get("location"));
        if (location.empty())
          return DataLoss(
              TrFormat("{}: a redirect without an address", "{}：重定向没有目标地址", url));
        return Status::Ok();
      }
      FetchHead seen = got;
      if (!linked_etag.empty() && got.Get("x-linked-etag").empty())
        seen.headers.emplace_back("x-linked-etag", linked_etag);
      return on_head(seen);
    };
    const auto body = [&](std::span<const std::byte> bytes) {
      return location.empty() ? on_body(bytes) : Status::Ok();
    };
    PT_TRY(fetcher.Get(url, headers, head, body));
    if (location.empty()) return Status::Ok();
    const std::string next = ResolveUrl(url, location);
    if (url.starts_with("https://") && !next.starts_with("https://")) {
      return DataLoss(TrFormat("{} redirects from https to {}: refused",
                               "{} 从 https 重定向到 {}：已拒绝", url, next));
    }
    if (OriginOf(next) != first_origin) {
      std::erase_if(headers,
                    [](const auto& header) { return SameName(header.first, "authorization"); });
    }
    url = next;
  }
  return DataLoss(
      TrFormat("{}: more than {} redirects", "{}：重定向超过 {} 次", url, kRedirectsMax));
}

Result<std::string> GetText(Fetcher& fetcher, const std::string& url, const FetchHeaders& headers,
                            size_t bytes_max) {
  std::string text;
  int32_t status = 0;
  const auto head = [&](const FetchHead& got) {
    status = got.status;
    return Status::Ok();
  };
  const auto body = [&](std::span<const std::byte> bytes) -> Status {
    if (text.size() + bytes.size() > bytes_max)
      return ResourceExhausted(fmt::format("{}: more than {} bytes", url, bytes_max));
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Status::Ok();
  };
  PT_TRY(GetFollowing(fetcher, url, headers, head, body));
  if (status == 200) return text;
  if (status == 401 || status == 403) {
    return Status(
        StatusCode::kPermissionDenied,
        TrFormat(
            "{} answered {}: the model needs an access token (PINGTI_HUB_TOKEN) or does not exist",
            "{} 返回 {}：该模型需要访问令牌（PINGTI_HUB_TOKEN），或不存在", url, status));
  }
  if (status == 404)
    return NotFound(
        TrFormat("{} answered 404: no such model or file", "{} 返回 404：没有这个模型或文件", url));
  return Unavailable(TrFormat("{} answered {}", "{} 返回 {}", url, status));
}

}  // namespace pingti::store
