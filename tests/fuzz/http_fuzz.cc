// layers: net
// HTTP requests from arbitrary bytes in arbitrary pieces: no crash, bounded memory, and the same outcome however the
// bytes are cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "net/message_parser.h"
#include "net/url.h"

namespace {

using pingti::net::ParseState;
using pingti::net::RequestParser;

constexpr size_t kRequestsMax = 64;
constexpr size_t kHeaderBytesMax = 2048;

// What came of the bytes, as text.
std::string Outcome(std::string_view bytes, size_t piece) {
  RequestParser parser({.header_bytes_max = kHeaderBytesMax, .body_bytes_max = 4096});
  std::string outcome;
  size_t requests = 0;
  while (!bytes.empty() && requests < kRequestsMax) {
    std::string_view part = bytes.substr(0, piece);
    const size_t size = part.size();
    const ParseState state = parser.Feed(part);
    bytes.remove_prefix(size - part.size());
    // How early rubbish is recognised may depend on the cut; what is taken for a request may not.
    if (state == ParseState::kFailed) return outcome;
    if (state != ParseState::kDone) continue;
    ++requests;
    const pingti::net::Request request = parser.Take();
    PT_CHECK(request.body.size() <= 4096, "the body's limit holds");
    outcome += request.method + " " + request.path + " " + std::to_string(request.body.size()) + "\n";
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = Outcome(bytes, std::max<size_t>(size, 1));
  // Lines longer than the limit are refused only where they have to be kept.
  const bool may_differ = size > kHeaderBytesMax;
  PT_CHECK(may_differ || Outcome(bytes, 1) == whole, "one byte at a time gives the same");
  PT_CHECK(may_differ || Outcome(bytes, 7) == whole, "seven bytes at a time give the same");
  pingti::net::ResponseParser response(2048, false);
  size_t body = 0;
  response.on_body = [&](std::string_view piece) {
    body += piece.size();
    return true;
  };
  std::string_view rest = bytes;
  if (response.Feed(rest) != ParseState::kFailed) (void)response.FeedEof();
  PT_CHECK(body <= size, "a body is not longer than its message");
  (void)pingti::net::ParseUrl(bytes);
  return 0;
}
