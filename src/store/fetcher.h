// Fetcher: how store/ asks for a web address; the network behind it is net/'s (net_fetcher.h), a
// test's is its own.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pingti::store {

using FetchHeaders = std::vector<std::pair<std::string, std::string>>;

struct FetchHead {
  int32_t status = 0;
  FetchHeaders headers;
  // The first value of that name, in any case; "" where there is none.
  std::string_view Get(std::string_view name) const;
};

class Fetcher {
 public:
  virtual ~Fetcher() = default;

  // One GET. `on_head` once, then `on_body` for each piece; their errors end the request. Ok: the
  // whole body came; else Unavailable where the connection could not be made or broke. Does not
  // follow redirects.
  using OnHead = std::function<Status(const FetchHead&)>;
  using OnBody = std::function<Status(std::span<const std::byte>)>;
  virtual Status Get(const std::string& url, const FetchHeaders& headers, const OnHead& on_head,
                     const OnBody& on_body) = 0;
};

// Get that follows up to five redirects; an Authorization header goes to the first host only, and
// never from https to http. `on_head` sees the last answer, with X-Linked-Etag of an earlier one
// where the last has none.
Status GetFollowing(Fetcher& fetcher, std::string url, FetchHeaders headers,
                    const Fetcher::OnHead& on_head, const Fetcher::OnBody& on_body);

// A small text; an error where it is larger than `bytes_max` or the status is not 200 (named in the
// error).
Result<std::string> GetText(Fetcher& fetcher, const std::string& url, const FetchHeaders& headers,
                            size_t bytes_max);

// "https://host:port" of an address, in lower case.
std::string OriginOf(std::string_view url);
// `location` as seen from `base`: absolute, "//host/..", "/path" or relative.
std::string ResolveUrl(std::string_view base, std::string_view location);

}  // namespace pingti::store
