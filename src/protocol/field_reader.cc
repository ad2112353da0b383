#include "protocol/field_reader.h"

#include <cmath>
#include <cstdio>

namespace pingti::protocol {

namespace {

// 0.5 rather than 5E-1.
std::string Plain(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return text;
}

std::string Bounds(const NumberRange& range) {
  const bool low = std::isfinite(range.min);
  const bool high = std::isfinite(range.max);
  const std::string above = range.min_excluded ? "above " : "at least ";
  if (low && high) {
    return range.min_excluded ? "above " + Plain(range.min) + " and at most " + Plain(range.max)
                              : "between " + Plain(range.min) + " and " + Plain(range.max);
  }
  return low ? above + Plain(range.min) : "at most " + Plain(range.max);
}

}  // namespace

const char* TypeName(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "a boolean";
    case json::kind::int64:
    case json::kind::uint64: return "an integer";
    case json::kind::double_: return "a decimal number";
    case json::kind::string: return "a string";
    case json::kind::array: return "an array";
    case json::kind::object: return "an object";
  }
  return "something else";
}

std::optional<int64_t> AsInteger(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_double()) {
    const double number = value.get_double();
    // Clients whose language has one number type send 5.0.
    constexpr double kExact = 9007199254740992.0;
    if (std::trunc(number) == number && std::fabs(number) <= kExact) return static_cast<int64_t>(number);
  }
  return std::nullopt;
}

FieldReader::FieldReader(const json::object& object, std::string prefix)
    : object_(object), prefix_(std::move(prefix)) {}

void FieldReader::Fail(std::string message, std::string_view field, const char* reason) {
  if (!status_.ok()) return;
  status_ = InvalidArgument(std::move(message), prefix_ + std::string(field)).WithReason(reason);
}

void FieldReader::FailType(std::string_view field, const char* wanted, const json::value& found) {
  Fail("Invalid type for '" + prefix_ + std::string(field) + "': expected " + wanted + ", but got " + TypeName(found) +
           " instead.",
       field, "invalid_type");
}

FieldReader::Found FieldReader::Find(Names names) {
  if (!status_.ok()) return {};
  for (const std::string_view name : names) {
    const json::value* value = object_.if_contains(name);
    if (value != nullptr && !value->is_null()) return {name, value};
  }
  return {};
}

std::optional<double> FieldReader::Number(Names names, const NumberRange& range) {
  const Found found = Find(names);
  if (found.value == nullptr) return std::nullopt;
  if (!found.value->is_number()) {
    FailType(found.name, "a number", *found.value);
    return std::nullopt;
  }
  const double value = found.value->to_number<double>();
  const bool low = range.min_excluded ? !(value > range.min) : !(value >= range.min);
  if (low || !(value <= range.max) || !std::isfinite(value)) {
    Fail("Invalid '" + prefix_ + std::string(found.name) + "': expected a number " + Bounds(range) + ", but got " +
             Plain(value) + " instead.",
         found.name, low ? "decimal_below_min_value" : "decimal_above_max_value");
    return std::nullopt;
  }
  return value;
}

std::optional<int64_t> FieldReader::Integer(Names names, int64_t min, int64_t max) {
  const Found found = Find(names);
  if (found.value == nullptr) return std::nullopt;
  const std::optional<int64_t> value = AsInteger(*found.value);
  if (!value && !found.value->is_uint64()) {
    FailType(found.name, "an integer", *found.value);
    return std::nullopt;
  }
  if (!value || *value < min || *value > max) {
    Fail("Invalid '" + prefix_ + std::string(found.name) + "': expected an integer between " + std::to_string(min) +
             " and " + std::to_string(max) + ", but got " + ToJson(*found.value) + " instead.",
         found.name, value && *value < min ? "integer_below_min_value" : "integer_above_max_value");
    return std::nullopt;
  }
  return value;
}

std::optional<bool> FieldReader::Bool(Names names) {
  const Found found = Find(names);
  if (found.value == nullptr) return std::nullopt;
  if (!found.value->is_bool()) {
    FailType(found.name, "a boolean", *found.value);
    return std::nullopt;
  }
  return found.value->get_bool();
}

std::optional<std::string> FieldReader::String(Names names) {
  const Found found = Find(names);
  if (found.value == nullptr) return std::nullopt;
  if (!found.value->is_string()) {
    FailType(found.name, "a string", *found.value);
    return std::nullopt;
  }
  return std::string(found.value->get_string());
}

const json::object* FieldReader::MaybeObject(Names names) {
  const Found found = Find(names);
  if (found.value == nullptr) return nullptr;
  if (!found.value->is_object()) FailType(found.name, "an object", *found.value);
  return found.value->if_object();
}

const json::array* FieldReader::MaybeArray(Names names) {
  const Found found = Find(names);
  if (found.value == nullptr) return nullptr;
  if (!found.value->is_array()) FailType(found.name, "an array", *found.value);
  return found.value->if_array();
}

const json::value* FieldReader::MaybeAny(Names names) { return Find(names).value; }

}  // namespace pingti::protocol
