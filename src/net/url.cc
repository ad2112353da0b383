#include "net/url.h"

#include <algorithm>
#include <cstdlib>

#include "net/http.h"

namespace pingti::net {

namespace {

std::string DefaultPort(std::string_view scheme) { return scheme == "https" ? "443" : "80"; }

std::string Environment(const char* upper, const char* lower) {
  for (const char* name : {lower, upper}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

bool IsLoopback(std::string_view host) {
  return EqualsIgnoreCase(host, "localhost") || host == "::1" || host.starts_with("127.");
}

// Control characters and spaces would end the request line early.
bool Printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f; });
}

// "host", "host:port", "[v6]:port"
Status SplitAuthority(std::string_view authority, std::string_view whole, Url& url) {
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    url.user_info = std::string(authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return InvalidArgument("URL without ']': " + std::string(whole));
    url.host = std::string(authority.substr(1, close - 1));
    port = authority.substr(close + 1);
  } else {
    const size_t colon = authority.find(':');
    url.host = std::string(authority.substr(0, colon));
    port = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
  }
  if (port.starts_with(':')) port.remove_prefix(1);
  const bool digits = std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (url.host.empty() || !digits || port.size() > 5) return InvalidArgument("URL with a bad host: " + std::string(whole));
  url.port = port.empty() ? DefaultPort(url.scheme) : std::string(port);
  return Status::Ok();
}

}  // namespace

std::string Url::HostHeader() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == DefaultPort(scheme) ? name : name + ":" + port;
}

std::string Url::ToString() const { return scheme + "://" + HostHeader() + target; }

Result<Url> ParseUrl(std::string_view text) {
  const std::string_view whole = text;
  Url url;
  if (!Printable(text)) return InvalidArgument("URL with spaces or control characters");
  for (const std::string_view scheme : {"https", "http"}) {
    const std::string prefix = std::string(scheme) + "://";
    if (text.size() >= prefix.size() && EqualsIgnoreCase(text.substr(0, prefix.size()), prefix)) {
      url.scheme = std::string(scheme);
      text.remove_prefix(prefix.size());
      break;
    }
  }
  if (url.scheme.empty()) return InvalidArgument("URL wants http:// or https://, found " + std::string(whole));
  text = text.substr(0, text.find('#'));
  const size_t end = text.find_first_of("/?");
  PT_TRY(SplitAuthority(text.substr(0, end), whole, url));
  url.target = end == std::string_view::npos ? "/" : std::string(text.substr(end));
  if (url.target.front() == '?') url.target.insert(0, "/");
  return url;
}

Result<Url> ResolveUrl(const Url& base, std::string_view location) {
  if (location.starts_with("//")) return ParseUrl(base.scheme + ":" + std::string(location));
  if (location.find("://") != std::string_view::npos) return ParseUrl(location);
  if (!Printable(location)) return InvalidArgument("redirect with spaces or control characters");
  Url url = base;
  location = location.substr(0, location.find('#'));
  if (location.starts_with('/')) {
    url.target = std::string(location);
  } else {
    const std::string path = base.target.substr(0, base.target.find('?'));
    url.target = path.substr(0, path.rfind('/') + 1) + std::string(location);
  }
  return url;
}

ProxySettings ProxySettings::FromEnvironment() {
  const std::string all = Environment("ALL_PROXY", "all_proxy");
  ProxySettings settings{.http = Environment("HTTP_PROXY", "http_proxy"),
                         .https = Environment("HTTPS_PROXY", "https_proxy"),
                         .no_proxy = Environment("NO_PROXY", "no_proxy")};
  if (settings.http.empty()) settings.http = all;
  if (settings.https.empty()) settings.https = all;
  return settings;
}

std::string ProxySettings::For(const Url& url) const {
  if (IsLoopback(url.host)) return {};
  std::string_view rest = no_proxy;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    std::string_view entry = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    while (entry.starts_with(' ')) entry.remove_prefix(1);
    while (entry.ends_with(' ')) entry.remove_suffix(1);
    if (entry == "*") return {};
    if (entry.starts_with('.')) entry.remove_prefix(1);
    if (entry.empty() || url.host.size() < entry.size()) continue;
    const size_t begin = url.host.size() - entry.size();
    if (EqualsIgnoreCase(std::string_view(url.host).substr(begin), entry) &&
        (begin == 0 || url.host[begin - 1] == '.')) {
      return {};
    }
  }
  const std::string& proxy = url.secure() ? https : http;
  return proxy.empty() || proxy.find("://") != std::string::npos ? proxy : "http://" + proxy;
}

std::string Base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      out.push_back(i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=');
    }
  }
  return out;
}

}  // namespace pingti::net
