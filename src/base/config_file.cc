#include "base/config_file.h"

#include <fmt/format.h>

#include <optional>

#include "base/file.h"
#include "base/i18n.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace pingti {
namespace {

constexpr size_t kConfigBytesMax = 1 << 20;

// A scalar's text; nullopt for tables, lists, dates.
std::optional<std::string> ScalarText(const toml::node& node) {
  if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
  if (const auto* value = node.as_integer()) return fmt::format("{}", value->get());
  if (const auto* value = node.as_floating_point()) return fmt::format("{}", value->get());
  if (const auto* value = node.as_string()) return value->get();
  return std::nullopt;
}

ConfigSetting::Type ScalarType(const toml::node& node) {
  if (node.is_boolean()) return ConfigSetting::Type::kBool;
  if (node.is_integer()) return ConfigSetting::Type::kInteger;
  if (node.is_floating_point()) return ConfigSetting::Type::kNumber;
  return ConfigSetting::Type::kText;
}

Status Wrong(const std::string& name, const toml::node& node, std::string_view key) {
  return InvalidArgument(
      TrFormat("{}:{}: '{}' must be text, a number, true/false or a list of these",
               "{}:{}: '{}' 只能是文本、数字、true/false 或它们的列表", name,
               node.source().begin.line, key),
      std::string(key));
}

Status AddSettings(const toml::table& table, const std::string& section, ConfigFile& out) {
  for (const auto& [key, node] : table) {
    if (const toml::table* inner = node.as_table(); inner != nullptr && section.empty()) {
      PT_TRY(AddSettings(*inner, std::string(key.str()), out));
      continue;
    }
    ConfigSetting setting{.section = section,
                          .key = std::string(key.str()),
                          .type = {},
                          .text = {},
                          .list = {},
                          .line = static_cast<int>(node.source().begin.line)};
    if (const toml::array* list = node.as_array()) {
      setting.type = ConfigSetting::Type::kList;
      for (const toml::node& element : *list) {
        std::optional<std::string> text = ScalarText(element);
        if (!text) return Wrong(out.name, node, key.str());
        setting.list.push_back(std::move(*text));
      }
    } else if (std::optional<std::string> text = ScalarText(node)) {
      setting.type = ScalarType(node);
      setting.text = std::move(*text);
    } else {
      return Wrong(out.name, node, key.str());
    }
    out.settings.push_back(std::move(setting));
  }
  return Status::Ok();
}

}  // namespace

Result<ConfigFile> ParseConfigFile(std::string_view text, std::string name) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::source_position place = parsed.error().source().begin;
    return InvalidArgument(
        fmt::format("{}:{}:{}: {}", name, place.line, place.column, parsed.error().description()));
  }
  ConfigFile file{.name = std::move(name), .settings = {}};
  PT_TRY(AddSettings(parsed.table(), "", file));
  return file;
}

Result<ConfigFile> ReadConfigFile(const std::filesystem::path& path) {
  PT_ASSIGN(const std::string text, ReadFile(path, kConfigBytesMax));
  return ParseConfigFile(text, path.string());
}

}  // namespace pingti
