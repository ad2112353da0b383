// URLs and proxies of the HTTP client. Values; no sockets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pingti::net {

struct Url {
  std::string scheme;    // "http" or "https"
  std::string user_info; // "name:password" or ""
  std::string host;      // without brackets
  std::string port;      // "443" where the text names none
  std::string target;    // path and query, at least "/"

  bool secure() const { return scheme == "https"; }
  std::string HostHeader() const;  // with the port where it is not the scheme's
  std::string ToString() const;    // without user_info
};

// The error names the text. A fragment is dropped.
Result<Url> ParseUrl(std::string_view text);
// `location` as a redirect from `base` gives it: absolute, or a path.
Result<Url> ResolveUrl(const Url& base, std::string_view location);

struct ProxySettings {
  std::string http;      // proxy for http:// URLs; "" none
  std::string https;
  std::string no_proxy;  // "localhost,.example.com,10.0.0.1" or "*"

  // HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, also in lower case.
  static ProxySettings FromEnvironment();
  // The proxy's URL for `url`; "" where it is asked directly (loopback always is).
  std::string For(const Url& url) const;
};

std::string Base64(std::string_view bytes);

}  // namespace pingti::net
