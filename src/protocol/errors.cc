#include "protocol/errors.h"

#include "base/json.h"

namespace pingti::protocol {

namespace {

constexpr int32_t kRetryAfterS = 1;

struct Mapping {
  int32_t http_status;
  const char* type;
  const char* code;  // nullptr: null unless the Status has a reason
  int32_t retry_after_s;
};

Mapping MappingOf(StatusCode code) {
  switch (code) {
    case StatusCode::kInvalidArgument: return {400, "invalid_request_error", nullptr, 0};
    case StatusCode::kFailedPrecondition: return {400, "invalid_request_error", nullptr, 0};
    case StatusCode::kUnimplemented: return {400, "invalid_request_error", kUnsupportedValue, 0};
    case StatusCode::kNotFound: return {404, "invalid_request_error", nullptr, 0};
    case StatusCode::kUnauthenticated: return {401, "invalid_request_error", "invalid_api_key", 0};
    case StatusCode::kPermissionDenied: return {403, "permission_error", "permission_denied", 0};
    case StatusCode::kResourceExhausted: return {429, "rate_limit_error", "rate_limit_exceeded", kRetryAfterS};
    case StatusCode::kUnavailable: return {503, "server_error", "service_unavailable", kRetryAfterS};
    case StatusCode::kDeadlineExceeded: return {504, "server_error", "timeout", 0};
    case StatusCode::kCancelled: return {499, "server_error", "cancelled", 0};
    case StatusCode::kOk:
    case StatusCode::kDataLoss:
    case StatusCode::kInternal: return {500, "server_error", "internal_error", 0};
  }
  return {500, "server_error", "internal_error", 0};
}

std::string Body(const std::string& message, const char* type, const std::string& param, const std::string& code) {
  json::object error;
  error["message"] = message;
  error["type"] = type;
  error["param"] = param.empty() ? json::value(nullptr) : json::value(param);
  error["code"] = code.empty() ? json::value(nullptr) : json::value(code);
  return ToJson(json::object{{"error", std::move(error)}});
}

}  // namespace

ErrorAnswer ToErrorAnswer(const Status& error) {
  const Mapping mapping = MappingOf(error.code());
  std::string code = error.reason();
  if (code.empty() && mapping.code != nullptr) code = mapping.code;
  return {.http_status = mapping.http_status,
          .retry_after_s = mapping.retry_after_s,
          .body = Body(error.message(), mapping.type, error.field(), code)};
}

ErrorAnswer HttpErrorAnswer(int32_t http_status, const std::string& message) {
  const char* type = http_status >= 500 ? "server_error" : "invalid_request_error";
  return {.http_status = http_status,
          .retry_after_s = http_status == 503 || http_status == 429 ? kRetryAfterS : 0,
          .body = Body(message, type, "", "")};
}

}  // namespace pingti::protocol
