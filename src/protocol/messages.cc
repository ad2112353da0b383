#include "protocol/messages.h"

#include <algorithm>
#include <string>

#include "protocol/errors.h"
#include "protocol/field_reader.h"

namespace pingti::protocol {

namespace {

constexpr size_t kToolsMax = 128;
constexpr size_t kNameBytesMax = 256;

Status Wrong(const std::string& field, const char* wanted, const json::value& found) {
  return InvalidArgument(
             "Invalid type for '" + field + "': expected " + wanted + ", but got " + TypeName(found) + " instead.", field)
      .WithReason("invalid_type");
}

Status Missing(const std::string& field) {
  return InvalidArgument("Missing required parameter: '" + field + "'.", field).WithReason("missing_required_parameter");
}

bool KnownRole(std::string_view role) {
  constexpr std::string_view kRoles[] = {"system", "developer", "user", "assistant", "tool", "function"};
  return std::find(std::begin(kRoles), std::end(kRoles), role) != std::end(kRoles);
}

Result<std::string> PartText(const json::value& part, const std::string& field) {
  const json::object* object = part.if_object();
  if (object == nullptr) return Wrong(field, "an object", part);
  const json::value* type = object->if_contains("type");
  if (type == nullptr || type->is_null()) return Missing(field + ".type");
  if (!type->is_string()) return Wrong(field + ".type", "a string", *type);
  const std::string_view name = type->get_string();
  const char* key = name == "text" || name == "input_text" ? "text" : name == "refusal" ? "refusal" : nullptr;
  if (key == nullptr) {
    return InvalidArgument("Invalid content part '" + field + "' of type '" + std::string(name.substr(0, 40)) +
                               "': this model reads text only.",
                           field)
        .WithReason(kUnsupportedValue);
  }
  const json::value* text = object->if_contains(key);
  if (text == nullptr || text->is_null()) return Missing(field + "." + key);
  if (!text->is_string()) return Wrong(field + "." + key, "a string", *text);
  return std::string(text->get_string());
}

Result<json::value> ContentText(const json::value& content, const std::string& field) {
  if (content.is_string() || content.is_null()) return content;
  const json::array* parts = content.if_array();
  if (parts == nullptr) return Wrong(field, "a string or an array of content parts", content);
  std::string joined;
  for (size_t i = 0; i < parts->size(); ++i) {
    PT_ASSIGN(const std::string text, PartText((*parts)[i], field + "[" + std::to_string(i) + "]"));
    if (i > 0) joined += "\n";
    joined += text;
  }
  return json::value(std::move(joined));
}

// Templates read arguments as an object; the API sends their JSON text.
Status OpenArguments(json::value& calls, const std::string& field) {
  json::array* array = calls.if_array();
  if (array == nullptr) return Wrong(field, "an array", calls);
  for (size_t i = 0; i < array->size(); ++i) {
    const std::string at = field + "[" + std::to_string(i) + "]";
    json::object* call = (*array)[i].if_object();
    if (call == nullptr) return Wrong(at, "an object", (*array)[i]);
    json::value* function = call->if_contains("function");
    if (function == nullptr) return Missing(at + ".function");
    if (!function->is_object()) return Wrong(at + ".function", "an object", *function);
    const json::value* name = function->get_object().if_contains("name");
    if (name == nullptr) return Missing(at + ".function.name");
    if (!name->is_string()) return Wrong(at + ".function.name", "a string", *name);
    json::value* arguments = function->get_object().if_contains("arguments");
    if (arguments == nullptr || !arguments->is_string()) continue;
    auto parsed = ParseJson(arguments->get_string());
    if (parsed.ok() && parsed->is_object()) *arguments = std::move(parsed).value();
  }
  return Status::Ok();
}

Result<json::object> ParseMessage(const json::value& value, const std::string& field) {
  const json::object* source = value.if_object();
  if (source == nullptr) return Wrong(field, "an object", value);
  json::object message = *source;
  json::value* role = message.if_contains("role");
  if (role == nullptr || role->is_null()) return Missing(field + ".role");
  if (!role->is_string()) return Wrong(field + ".role", "a string", *role);
  if (!KnownRole(role->get_string())) {
    return InvalidArgument("Invalid value for '" + field + ".role': '" +
                               std::string(role->get_string()).substr(0, 40) +
                               "'. Supported values are: 'system', 'developer', 'user', 'assistant', 'tool' and "
                               "'function'.",
                           field + ".role")
        .WithReason("invalid_value");
  }
  json::value* calls = message.if_contains("tool_calls");
  const bool has_calls = calls != nullptr && !calls->is_null();
  if (has_calls) {
    PT_TRY(OpenArguments(*calls, field + ".tool_calls"));
  } else {
    message.erase("tool_calls");
  }
  const json::value* content = message.if_contains("content");
  const bool may_be_empty = *message.if_contains("role") == "assistant";
  if ((content == nullptr || content->is_null()) && !may_be_empty) return Missing(field + ".content");
  PT_ASSIGN(json::value text, ContentText(content == nullptr ? json::value() : *content, field + ".content"));
  // A template that writes {{ message.content }} would print "None" for null.
  message["content"] = text.is_null() ? json::value("") : std::move(text);
  if (*message.if_contains("role") == "developer") message["role"] = "system";
  return message;
}

}  // namespace

Result<json::array> ParseMessages(const json::value& messages, size_t messages_max) {
  const json::array* array = messages.if_array();
  if (array == nullptr) return Wrong("messages", "an array of objects", messages);
  if (array->empty()) {
    return InvalidArgument("Invalid 'messages': empty array. Expected at least one message.", "messages")
        .WithReason("empty_array");
  }
  if (array->size() > messages_max) {
    return InvalidArgument("Invalid 'messages': at most " + std::to_string(messages_max) + " messages, found " +
                               std::to_string(array->size()) + ".",
                           "messages")
        .WithReason("array_above_max_length");
  }
  json::array out;
  out.reserve(array->size());
  for (size_t i = 0; i < array->size(); ++i) {
    PT_ASSIGN(json::object message, ParseMessage((*array)[i], "messages[" + std::to_string(i) + "]"));
    out.push_back(std::move(message));
  }
  return out;
}

Result<json::array> ParseTools(const json::value& tools) {
  const json::array* array = tools.if_array();
  if (array == nullptr) return Wrong("tools", "an array of objects", tools);
  if (array->size() > kToolsMax) {
    return InvalidArgument("Invalid 'tools': at most " + std::to_string(kToolsMax) + " tools, found " +
                               std::to_string(array->size()) + ".",
                           "tools")
        .WithReason("array_above_max_length");
  }
  for (size_t i = 0; i < array->size(); ++i) {
    const std::string at = "tools[" + std::to_string(i) + "]";
    const json::object* tool = (*array)[i].if_object();
    if (tool == nullptr) return Wrong(at, "an object", (*array)[i]);
    const json::value* type = tool->if_contains("type");
    if (type == nullptr) return Missing(at + ".type");
    if (*type != "function") {
      return InvalidArgument("Invalid value for '" + at + ".type': 'function' is the only kind of tool here.",
                             at + ".type")
          .WithReason("invalid_value");
    }
    const json::value* function = tool->if_contains("function");
    if (function == nullptr) return Missing(at + ".function");
    if (!function->is_object()) return Wrong(at + ".function", "an object", *function);
    const json::value* name = function->get_object().if_contains("name");
    if (name == nullptr) return Missing(at + ".function.name");
    if (!name->is_string()) return Wrong(at + ".function.name", "a string", *name);
    if (name->get_string().empty() || name->get_string().size() > kNameBytesMax) {
      return InvalidArgument("Invalid '" + at + ".function.name': 1 to " + std::to_string(kNameBytesMax) + " bytes.",
                             at + ".function.name")
          .WithReason("invalid_value");
    }
  }
  return *array;
}

}  // namespace pingti::protocol
