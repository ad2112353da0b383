// The one place that maps a Status to an HTTP status and an OpenAI error body. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace pingti::protocol {

struct ErrorAnswer {
  int32_t http_status = 500;
  int32_t retry_after_s = 0;  // 0: no Retry-After header
  std::string body;           // {"error": {"message", "type", "param", "code"}}
};

// `param` is the Status's field, `code` its reason or the one that belongs to its code.
ErrorAnswer ToErrorAnswer(const Status& error);
// For what HTTP itself refuses (404, 405, 413, 431 ...).
ErrorAnswer HttpErrorAnswer(int32_t http_status, const std::string& message);

// Reasons that more than one file knows.
inline constexpr char kContextLengthExceeded[] = "context_length_exceeded";
inline constexpr char kModelNotFound[] = "model_not_found";
inline constexpr char kUnsupportedValue[] = "unsupported_value";

}  // namespace pingti::protocol
