// Request ids: taken from the client where they are harmless, made otherwise. Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace pingti::net {

// `wanted` where it is 1 to 128 letters, digits and "._-", else a new id "req-" + 32 hex digits.
std::string RequestId(std::string_view wanted);

}  // namespace pingti::net
