#include "base/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace pingti {
namespace {

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

std::string Kebab(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

Status Wrong(const Option& option, std::string_view text, std::string_view spelled) {
  const std::string range = OptionRangeText(option);
  const std::string shown = option.secret ? "***" : std::string(text);
  std::string wanted(OptionTypeName(option));
  if (!range.empty()) wanted += " (" + range + ")";
  return InvalidArgument(TrFormat("{}: '{}' is not allowed: wanted {}", "{}：不接受 '{}'，应为 {}",
                                  spelled, shown, wanted),
                         option.name);
}

// 4096, 512M, 2GiB, 1.5g: K, M, G, T are powers of 1024.
bool ParseBytes(std::string_view text, double& out) {
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, out);
  if (error != std::errc()) return false;
  std::string suffix(rest, end);
  for (char& c : suffix) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::string_view kLetters = "kmgt";
  if (suffix.empty() || suffix == "b") return true;
  const size_t power = kLetters.find(suffix[0]);
  const std::string_view tail = std::string_view(suffix).substr(1);
  if (power == std::string_view::npos || !(tail.empty() || tail == "b" || tail == "ib"))
    return false;
  out *= std::pow(1024.0, static_cast<double>(power + 1));
  return true;
}

bool InRange(const Option& option, double value) {
  return value >= option.min && value <= option.max;
}

template <typename T>
bool SetInteger(const Option& option, std::string_view text, T& out) {
  if (option.bytes) {
    double bytes = 0;
    if (!ParseBytes(text, bytes) || !(bytes >= 0 && bytes < 9e18) || !InRange(option, bytes))
      return false;
    out = static_cast<T>(bytes);
    return true;
  }
  T value{};
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size()) return false;
  if (!InRange(option, static_cast<double>(value))) return false;
  out = value;
  return true;
}

template <typename T>
bool SetNumber(const Option& option, std::string_view text, T& out) {
  T value{};
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size()) return false;
  if (!std::isfinite(value) || !InRange(option, static_cast<double>(value))) return false;
  out = value;
  return true;
}

bool SetBool(std::string_view text, bool& out) {
  for (const char* yes : {"true", "1", "yes", "on"}) {
    if (text == yes) return out = true, true;
  }
  for (const char* no : {"false", "0", "no", "off"}) {
    if (text == no) return out = false, true;
  }
  return false;
}

bool IsChoice(const Option& option, std::string_view text) {
  return option.choices.empty() ||
         std::find(option.choices.begin(), option.choices.end(), text) != option.choices.end();
}

// Whether a value of this TOML type may go into the option.
bool TypeFits(const Option& option, const ConfigSetting& setting) {
  using Type = ConfigSetting::Type;
  return std::visit(
      Overloaded{
          [&](bool*) { return setting.type == Type::kBool; },
          [&](std::vector<std::string>*) {
            return setting.type == Type::kList || setting.type == Type::kText;
          },
          [&](std::string*) { return setting.type == Type::kText; },
          [&](std::filesystem::path*) { return setting.type == Type::kText; },
          [&](float*) { return setting.type == Type::kNumber || setting.type == Type::kInteger; },
          [&](double*) { return setting.type == Type::kNumber || setting.type == Type::kInteger; },
          [&](auto*) {
            return setting.type == Type::kInteger || (option.bytes && setting.type == Type::kText);
          }},
      option.target);
}

// `name` in kebab-case is the option's or one of its aliases.
bool IsNamed(const Option& option, std::string_view name) {
  return option.name == name ||
         std::any_of(option.aliases.begin(), option.aliases.end(),
                     [&](const std::string& alias) { return Kebab(alias) == name; });
}

bool IsBool(const Option& option) { return std::holds_alternative<bool*>(option.target); }

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// "; did you mean 'x'?" or empty.
std::string DidYouMean(const std::string& nearest) {
  return nearest.empty() ? "" : TrFormat("; did you mean '{}'?", "；是否想写 '{}'？", nearest);
}

}  // namespace

std::string OptionEnvironmentName(const Option& option) {
  std::string name = "PINGTI_" + option.name;
  for (char& c : name)
    c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::string OptionFileKey(const Option& option) {
  std::string key = option.name;
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

std::string_view OptionTypeName(const Option& option) {
  if (option.bytes) return Tr("size (4096, 512M, 2G)", "大小（4096、512M、2G）");
  return std::visit(Overloaded{[](bool*) { return Tr("true or false", "true 或 false"); },
                               [](float*) { return Tr("a number", "数字"); },
                               [](double*) { return Tr("a number", "数字"); },
                               [](std::string*) { return Tr("text", "文本"); },
                               [](std::filesystem::path*) { return Tr("a path", "路径"); },
                               [](std::vector<std::string>*) { return Tr("a list", "列表"); },
                               [](auto*) { return Tr("an integer", "整数"); }},
                    option.target);
}

std::string OptionRangeText(const Option& option) {
  if (!option.choices.empty()) return fmt::format("{}", fmt::join(option.choices, ", "));
  const bool low = std::isfinite(option.min);
  const bool high = std::isfinite(option.max);
  if (low && high) return fmt::format("{}..{}", option.min, option.max);
  if (low) return fmt::format(">= {}", option.min);
  if (high) return fmt::format("<= {}", option.max);
  return {};
}

std::string OptionText(const Option& option) {
  return std::visit(Overloaded{[](const bool* v) { return std::string(*v ? "true" : "false"); },
                               [](const std::string* v) { return *v; },
                               [](const std::filesystem::path* v) { return v->string(); },
                               [](const std::vector<std::string>* v) {
                                 return fmt::format("{}", fmt::join(*v, ","));
                               },
                               [](const auto* v) { return fmt::format("{}", *v); }},
                    option.target);
}

Status SetOption(const Option& option, std::string_view text, std::string_view spelled) {
  const bool set = std::visit(
      Overloaded{
          [&](bool* v) { return SetBool(text, *v); },
          [&](std::string* v) { return IsChoice(option, text) && (*v = std::string(text), true); },
          [&](std::filesystem::path* v) { return *v = std::filesystem::path(text), true; },
          [&](std::vector<std::string>* v) {
            return IsChoice(option, text) && (v->emplace_back(text), true);
          },
          [&](float* v) { return SetNumber(option, text, *v); },
          [&](double* v) { return SetNumber(option, text, *v); },
          [&](auto* v) { return SetInteger(option, text, *v); }},
      option.target);
  return set ? Status::Ok() : Wrong(option, text, spelled);
}

std::string Nearest(std::string_view wrong, const std::vector<std::string>& candidates) {
  const size_t far = std::max<size_t>(2, wrong.size() / 3) + 1;
  std::string best;
  size_t best_distance = far;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(wrong, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

OptionSet::OptionSet(std::vector<OptionTable> tables) : tables_(std::move(tables)) {
  for (const OptionTable& table : tables_) origins_.emplace_back(table.options.size());
}

// The option of "--name" (without the dashes), an alias, or "no-name" of a yes/no option.
Result<OptionSet::Found> OptionSet::FindFlag(std::string_view flag) const {
  const std::string name = Kebab(flag);
  std::vector<std::string> known = {"help"};
  for (size_t t = 0; t < tables_.size(); ++t) {
    for (size_t i = 0; tables_[t].flags && i < tables_[t].options.size(); ++i) {
      const Option& option = tables_[t].options[i];
      if (IsNamed(option, name)) return Found{&option, t, i, false};
      if (IsBool(option) && name == "no-" + option.name) return Found{&option, t, i, true};
      known.push_back(option.name);
    }
  }
  return InvalidArgument(
      TrFormat("unknown option --{}{}", "未知选项 --{}{}", flag, DidYouMean(Nearest(name, known))),
      std::string(flag));
}

// Reads the flag at arguments[at], with its value, and leaves `at` on its last argument.
Status OptionSet::ParseOne(const std::vector<std::string>& arguments, size_t& at,
                           Arguments& parsed) const {
  const std::string& argument = arguments[at];
  const size_t equals = argument.find('=');
  const std::string spelled = argument.substr(0, equals);
  Found found;
  if (argument[1] == '-') {
    PT_ASSIGN(found, FindFlag(std::string_view(spelled).substr(2)));
  } else {
    for (size_t t = 0; t < tables_.size(); ++t) {
      for (size_t i = 0; tables_[t].flags && i < tables_[t].options.size(); ++i) {
        const Option& option = tables_[t].options[i];
        if (spelled.size() == 2 && option.letter == spelled[1]) found = {&option, t, i, false};
      }
    }
    if (found.option == nullptr) {
      return InvalidArgument(
          TrFormat("unknown option {}; see --help", "未知选项 {}；参见 --help", spelled), spelled);
    }
  }
  Flag flag{found.table, found.index, {}, spelled};
  if (found.negated && equals != std::string::npos) {
    return InvalidArgument(TrFormat("{} takes no value", "{} 不带值", spelled), found.option->name);
  }
  if (equals != std::string::npos) {
    flag.value = argument.substr(equals + 1);
  } else if (IsBool(*found.option)) {
    flag.value = found.negated ? "false" : "true";
  } else if (at + 1 < arguments.size()) {
    flag.value = arguments[++at];
  } else {
    return InvalidArgument(
        TrFormat("{} needs a value: {}", "{} 缺少值：{}", spelled, OptionTypeName(*found.option)),
        found.option->name);
  }
  parsed.flags.push_back(std::move(flag));
  return Status::Ok();
}

Result<OptionSet::Arguments> OptionSet::Parse(const std::vector<std::string>& arguments) const {
  Arguments parsed;
  bool flags_ended = false;
  for (size_t at = 0; at < arguments.size(); ++at) {
    const std::string& argument = arguments[at];
    if (flags_ended || argument.size() < 2 || argument[0] != '-') {
      parsed.positionals.push_back(argument);
    } else if (argument == "--") {
      flags_ended = true;
    } else if (argument == "--help" || argument == "-h") {
      parsed.help = true;
    } else {
      PT_TRY(ParseOne(arguments, at, parsed));
    }
  }
  return parsed;
}

Status OptionSet::Apply(size_t table, size_t option, std::string_view text, OptionSource source,
                        std::string where) {
  const Option& target = tables_[table].options[option];
  Origin& origin = origins_[table][option];
  // A list given anew replaces the one of a lower source.
  if (auto* list = std::get_if<std::vector<std::string>*>(&target.target);
      list != nullptr && origin.source != source) {
    (*list)->clear();
  }
  PT_TRY(SetOption(target, text, where));
  origin = {source, std::move(where)};
  return Status::Ok();
}

Status OptionSet::ApplySetting(const ConfigSetting& setting, const std::string& where) {
  std::vector<std::string> sections;
  std::vector<std::string> keys;
  for (size_t t = 0; t < tables_.size(); ++t) {
    if (tables_[t].section.empty()) continue;
    sections.push_back(tables_[t].section);
    if (tables_[t].section != setting.section) continue;
    for (size_t i = 0; i < tables_[t].options.size(); ++i) {
      const Option& option = tables_[t].options[i];
      keys.push_back(OptionFileKey(option));
      if (!IsNamed(option, Kebab(setting.key))) continue;
      if (!TypeFits(option, setting))
        return Wrong(option, setting.text, where + ": " + setting.key);
      const bool list = setting.type == ConfigSetting::Type::kList;
      for (const std::string& value : list ? setting.list : std::vector{setting.text}) {
        PT_TRY(Apply(t, i, value, OptionSource::kFile, where));
      }
      return Status::Ok();
    }
  }
  if (keys.empty()) {
    return InvalidArgument(
        TrFormat("{}: unknown section [{}]{}", "{}：未知的节 [{}]{}", where, setting.section,
                 DidYouMean(Nearest(setting.section, sections))),
        setting.section);
  }
  return InvalidArgument(
      TrFormat("{}: unknown key '{}' in [{}]{}", "{}：未知的键 '{}'（节 [{}]）{}", where,
               setting.key, setting.section, DidYouMean(Nearest(setting.key, keys))),
      setting.key);
}

Status OptionSet::ApplyFile(const ConfigFile& file) {
  for (const ConfigSetting& setting : file.settings) {
    PT_TRY(ApplySetting(setting, fmt::format("{}:{}", file.name, setting.line)));
  }
  return Status::Ok();
}

Status OptionSet::ApplyEnvironment(const std::function<const char*(const char*)>& get) {
  for (size_t t = 0; t < tables_.size(); ++t) {
    if (tables_[t].section.empty()) continue;
    for (size_t i = 0; i < tables_[t].options.size(); ++i) {
      const std::string name = OptionEnvironmentName(tables_[t].options[i]);
      const char* value = get(name.c_str());
      if (value == nullptr || *value == '\0') continue;
      PT_TRY(Apply(t, i, value, OptionSource::kEnvironment, name));
    }
  }
  return Status::Ok();
}

Status OptionSet::ApplyFlags(const Arguments& arguments) {
  for (const Flag& flag : arguments.flags) {
    PT_TRY(Apply(flag.table, flag.option, flag.value, OptionSource::kFlag, flag.spelled));
  }
  return Status::Ok();
}

}  // namespace pingti
