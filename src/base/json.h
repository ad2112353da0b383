// Json: the one JSON type of the project (Boost.JSON), with bounded parsing. Values; not thread-safe while written.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pingti {

namespace json = boost::json;

// Parses strict JSON (RFC 8259, valid UTF-8). The error names the byte offset. Nesting deeper than `depth_max`
// is an error, so that no later recursion can overflow the stack.
Result<json::value> ParseJson(std::string_view text, size_t depth_max = 64);

inline std::string ToJson(const json::value& value) { return json::serialize(value); }

}  // namespace pingti
