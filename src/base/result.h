// Result<T>: a value or the Status that says why there is none. The interface follows std::expected, so that
// it can become an alias of it. PT_TRY and PT_ASSIGN return early.
#pragma once

#include <optional>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace pingti {

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit on purpose
    PT_CHECK(!status_.ok(), "a Result without a value needs an error");
  }

  bool has_value() const { return value_.has_value(); }
  bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }

  // Ok where there is a value.
  const Status& status() const { return status_; }
  const Status& error() const { return status_; }

  T& value() & {
    PT_CHECK(ok(), status_.message().c_str());
    return *value_;
  }
  const T& value() const& {
    PT_CHECK(ok(), status_.message().c_str());
    return *value_;
  }
  T&& value() && {
    PT_CHECK(ok(), status_.message().c_str());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace pingti

#define PT_CONCAT_INNER(a, b) a##b
#define PT_CONCAT(a, b) PT_CONCAT_INNER(a, b)

// Returns the error of `expression` (a Status) from the current function.
#define PT_TRY(expression)                                  \
  do {                                                      \
    if (::pingti::Status pt_status = (expression); !pt_status.ok()) return pt_status; \
  } while (false)

// PT_ASSIGN(auto x, F()): declares x with the value of F(), a Result, or returns its error.
#define PT_ASSIGN(declaration, expression) \
  PT_ASSIGN_IMPL(PT_CONCAT(pt_result_, __LINE__), declaration, expression)
#define PT_ASSIGN_IMPL(result, declaration, expression) \
  auto result = (expression);                           \
  if (!result.ok()) return result.status();             \
  declaration = std::move(result).value()
