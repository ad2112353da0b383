// Status: what went wrong, for the operator, with the offending field where there is one.
//
// Used for everything that an outsider can cause (bad JSON, truncated file, full queue). Our own bugs are
// PT_CHECKs (check.h). Values; thread-safe by being immutable after construction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace pingti {

enum class StatusCode : uint8_t {
  kOk = 0,
  kInvalidArgument,
  kNotFound,
  kUnauthenticated,
  kPermissionDenied,
  kResourceExhausted,
  kUnavailable,
  kDeadlineExceeded,
  kCancelled,
  kFailedPrecondition,
  kUnimplemented,
  kDataLoss,
  kInternal,
};

// The code's name without the "k": "InvalidArgument".
std::string_view StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message, std::string field = {})
      : code_(code), message_(std::move(message)), field_(std::move(field)) {}

  static Status Ok() { return Status(); }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  // What happened, what was wanted, what was found; never a secret.
  const std::string& message() const { return message_; }
  // The request field or file field that is wrong; empty where none is.
  const std::string& field() const { return field_; }

  // A stable name for programs where the code is too coarse ("context_length_exceeded"); empty where none is needed.
  const std::string& reason() const { return reason_; }
  Status WithReason(std::string reason) &&;

  // "InvalidArgument: message (field: temperature)".
  std::string ToString() const;

  // The same error with "context: " before its message.
  Status WithContext(std::string_view context) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
  std::string field_;
  std::string reason_;
};

inline Status InvalidArgument(std::string message, std::string field = {}) {
  return {StatusCode::kInvalidArgument, std::move(message), std::move(field)};
}
inline Status NotFound(std::string message, std::string field = {}) {
  return {StatusCode::kNotFound, std::move(message), std::move(field)};
}
inline Status ResourceExhausted(std::string message) {
  return {StatusCode::kResourceExhausted, std::move(message)};
}
inline Status Unavailable(std::string message) {
  return {StatusCode::kUnavailable, std::move(message)};
}
inline Status Cancelled(std::string message) {
  return {StatusCode::kCancelled, std::move(message)};
}
inline Status FailedPrecondition(std::string message) {
  return {StatusCode::kFailedPrecondition, std::move(message)};
}
inline Status Unimplemented(std::string message, std::string field = {}) {
  return {StatusCode::kUnimplemented, std::move(message), std::move(field)};
}
inline Status DataLoss(std::string message, std::string field = {}) {
  return {StatusCode::kDataLoss, std::move(message), std::move(field)};
}
inline Status Internal(std::string message) { return {StatusCode::kInternal, std::move(message)}; }

}  // namespace pingti
