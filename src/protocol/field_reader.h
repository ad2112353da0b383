// FieldReader: typed fields of a JSON object from a client. Absent and null are the same; a wrong type or value is an
// error that names the field, what was wanted and what was found. The first error is kept and ends the reading.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace pingti::protocol {

struct NumberRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_excluded = false;
};

class FieldReader final {
 public:
  using Names = std::initializer_list<std::string_view>;  // the field and its aliases; the first that is there counts

  // `prefix` is put before names in errors: "stream_options.".
  explicit FieldReader(const json::object& object, std::string prefix = {});

  std::optional<double> Number(Names names, const NumberRange& range = {});
  std::optional<int64_t> Integer(Names names, int64_t min, int64_t max);
  std::optional<bool> Bool(Names names);
  std::optional<std::string> String(Names names);
  const json::object* MaybeObject(Names names);
  const json::array* MaybeArray(Names names);
  const json::value* MaybeAny(Names names);  // null where absent or null

  void Fail(std::string message, std::string_view field, const char* reason);
  void FailType(std::string_view field, const char* wanted, const json::value& found);
  const Status& status() const { return status_; }

 private:
  struct Found {
    std::string_view name;
    const json::value* value = nullptr;
  };
  Found Find(Names names);

  const json::object& object_;
  std::string prefix_;
  Status status_;
};

// "a string", "an object" ... for messages.
const char* TypeName(const json::value& value);
// The number of an integral JSON value (5, 5.0); nullopt otherwise.
std::optional<int64_t> AsInteger(const json::value& value);

}  // namespace pingti::protocol
