// Fetch: an HTTP/1.1 client for the command line. Every wait has a time limit and can be cancelled;
// HTTPS is verified against the system's authorities; HTTPS_PROXY, HTTP_PROXY and NO_PROXY are respected.
// Each call has a connection and an event loop of its own on the calling thread: no shared state, so thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"
#include "net/url.h"

namespace pingti::net {

struct FetchOptions {
  std::string method = "GET";
  std::string url = {};
  Headers headers = {};                    // Authorization is not sent on to another host by a redirect
  std::string body = {};
  int redirects_max = 5;
  int64_t connect_timeout_ms = 15'000;    // to the TLS handshake's end
  int64_t idle_timeout_ms = 60'000;       // without a byte
  size_t body_bytes_max = 64 << 20;       // of a body that is kept
  std::filesystem::path ca_file = {};      // instead of the system's authorities
  ProxySettings proxy = ProxySettings::FromEnvironment();
  const std::atomic<bool>* maybe_cancel = nullptr;  // looked at every 50 ms

  // The head of the last answer (not of redirects); false ends the fetch (Cancelled).
  std::function<bool(const Response& head)> on_head = {};
  // Pieces of its body as they come, then the returned body stays empty; false ends the fetch (Cancelled).
  std::function<bool(std::string_view piece)> on_body = {};
};

// Any HTTP status is a Response. Errors: InvalidArgument (URL), Unavailable (network, TLS, proxy), DeadlineExceeded,
// Cancelled, ResourceExhausted (body too large).
Result<Response> Fetch(const FetchOptions& options);

}  // namespace pingti::net
