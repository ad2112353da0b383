#include "base/options_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace pingti {
namespace {

constexpr int kHelpColumn = 30;

bool IsBool(const Option& option) { return std::holds_alternative<bool*>(option.target); }

// Text or a list of texts.
bool IsText(const Option& option) {
  return std::holds_alternative<std::string*>(option.target) ||
         std::holds_alternative<std::vector<std::string>*>(option.target);
}

std::string ValueName(const Option& option) {
  if (!option.value_name.empty()) return option.value_name;
  if (option.bytes) return "SIZE";
  if (!option.choices.empty()) return fmt::format("{}", fmt::join(option.choices, "|"));
  if (IsBool(option)) return "";
  if (std::holds_alternative<std::filesystem::path*>(option.target)) return "PATH";
  return IsText(option) ? "TEXT" : "N";
}

// "--port N", "-m, --model PATH", "--[no-]repack-cache" for a yes/no option that is on by default.
std::string FlagText(const Option& option) {
  std::string flag = option.letter != '\0' ? fmt::format("-{}, ", option.letter) : "";
  flag += IsBool(option) && OptionText(option) == "true" ? "--[no-]" : "--";
  flag += option.name;
  const std::string value = ValueName(option);
  return value.empty() ? flag : flag + " " + value;
}

// "(0..65535; default 8080)" or empty.
std::string Note(const Option& option, bool show_default) {
  std::string note = option.choices.empty() ? OptionRangeText(option) : "";
  const std::string value = OptionText(option);
  if (show_default && !IsBool(option) && !value.empty() && !option.secret) {
    note += (note.empty() ? "" : "; ") + TrFormat("default {}", "默认 {}", value);
  }
  return note.empty() ? "" : " (" + note + ")";
}

std::string MarkdownCell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
    text.insert(at, "\\");
  return text;
}

std::string TomlValue(const Option& option) {
  if (option.secret) return OptionText(option).empty() ? "\"\"" : "\"***\"";
  const auto quoted = [](const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c == '\n' ? ' ' : c;
    }
    return out + '"';
  };
  if (const auto* list = std::get_if<std::vector<std::string>*>(&option.target)) {
    std::vector<std::string> parts;
    for (const std::string& text : **list) parts.push_back(quoted(text));
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
  const bool text = IsText(option) || std::holds_alternative<std::filesystem::path*>(option.target);
  return text ? quoted(OptionText(option)) : OptionText(option);
}

std::string SourceText(const OptionSet::Origin& origin) {
  switch (origin.source) {
    case OptionSource::kDefault:
      return Tr("default", "默认值");
    case OptionSource::kFile:
      return origin.where;
    case OptionSource::kEnvironment:
      return TrFormat("environment: {}", "环境变量：{}", origin.where);
    case OptionSource::kFlag:
      return TrFormat("flag: {}", "命令行：{}", origin.where);
  }
  return {};
}

std::vector<std::string> Flags(const CompletionCommand& command) {
  std::vector<std::string> flags = {"--help"};
  for (const OptionTable& table : command.tables) {
    for (const Option& option : table.options) {
      if (table.flags)
        flags.push_back((IsBool(option) && OptionText(option) == "true" ? "--no-" : "--") +
                        option.name);
    }
  }
  return flags;
}

std::string CommandNames(const std::vector<CompletionCommand>& commands) {
  std::string names;
  for (const CompletionCommand& command : commands)
    names += (names.empty() ? "" : " ") + command.name;
  return names;
}

// Cases "--flag) ... choices" of all options with choices.
std::vector<std::pair<std::string, std::string>> Choices(
    const std::vector<CompletionCommand>& commands) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const CompletionCommand& command : commands) {
    for (const OptionTable& table : command.tables) {
      for (const Option& option : table.options) {
        if (option.choices.empty() || !table.flags) continue;
        std::pair<std::string, std::string> entry{
            "--" + option.name, fmt::format("{}", fmt::join(option.choices, " "))};
        if (std::find(all.begin(), all.end(), entry) == all.end()) all.push_back(std::move(entry));
      }
    }
  }
  return all;
}

std::string BashScript(std::string_view program, const std::vector<CompletionCommand>& commands) {
  std::string out = fmt::format(
      "# bash completion for {0}; load with: source <({0} completion bash)\n_{0}() {{\n", program);
  out += "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words=\n";
  out += fmt::format(
      "  if [ \"$COMP_CWORD\" = 1 ]; then COMPREPLY=($(compgen -W \"{} --help --version\" -- "
      "\"$word\")); return; fi\n",
      CommandNames(commands));
  out += "  case $previous in\n";
  for (const auto& [flag, choices] : Choices(commands)) {
    out += fmt::format("    {}) COMPREPLY=($(compgen -W \"{}\" -- \"$word\")); return;;\n", flag,
                       choices);
  }
  out += "  esac\n  case ${COMP_WORDS[1]} in\n";
  for (const CompletionCommand& command : commands) {
    out += fmt::format("    {}) words=\"{}\";;\n", command.name, fmt::join(Flags(command), " "));
  }
  out += "  esac\n  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n";
  out += "  else COMPREPLY=($(compgen -f -- \"$word\")); fi\n}\n";
  return out + fmt::format("complete -o filenames -F _{0} {0}\n", program);
}

std::string ZshScript(std::string_view program, const std::vector<CompletionCommand>& commands) {
  std::string out = fmt::format(
      "#compdef {0}\n# zsh completion for {0}; load with: source <({0} completion zsh)\n_{0}() "
      "{{\n",
      program);
  out += "  local -a words_of\n  if (( CURRENT == 2 )); then\n    words_of=(";
  for (const CompletionCommand& command : commands)
    out += fmt::format("\n      '{}:{}'", command.name, command.summary);
  out +=
      "\n    )\n    _describe 'command' words_of\n    return\n  fi\n  case $words[CURRENT-1] in\n";
  for (const auto& [flag, choices] : Choices(commands))
    out += fmt::format("    {}) compadd {}; return;;\n", flag, choices);
  out += "  esac\n  if [[ $PREFIX != -* ]]; then _files; return; fi\n  case $words[2] in\n";
  for (const CompletionCommand& command : commands) {
    out += fmt::format("    {}) compadd -- {};;\n", command.name, fmt::join(Flags(command), " "));
  }
  return out + fmt::format("  esac\n}}\ncompdef _{0} {0}\n", program);
}

std::string FishScript(std::string_view program, const std::vector<CompletionCommand>& commands) {
  std::string out =
      fmt::format("# fish completion for {0}; load with: {0} completion fish | source\n", program);
  for (const CompletionCommand& command : commands) {
    out += fmt::format("complete -c {} -n __fish_use_subcommand -f -a {} -d '{}'\n", program,
                       command.name, command.summary);
  }
  for (const CompletionCommand& command : commands) {
    for (const OptionTable& table : command.tables) {
      for (const Option& option : table.options) {
        if (!table.flags) continue;
        out += fmt::format(
            "complete -c {} -n '__fish_seen_subcommand_from {}' -l {}", program, command.name,
            (IsBool(option) && OptionText(option) == "true" ? "no-" : "") + option.name);
        if (!IsBool(option)) out += " -r";
        if (!option.choices.empty())
          out += fmt::format(" -f -a '{}'", fmt::join(option.choices, " "));
        out += '\n';
      }
    }
  }
  return out;
}

}  // namespace

std::string HelpText(const std::vector<OptionTable>& tables) {
  std::string out;
  for (const OptionTable& table : tables) {
    if (!table.flags || table.options.empty()) continue;
    out += fmt::format("\n{}:\n", table.title.text());
    for (const Option& option : table.options) {
      const std::string flag = "  " + FlagText(option);
      const int gap = kHelpColumn - DisplayWidth(flag);
      out += flag + (gap >= 2 ? std::string(gap, ' ') : "\n" + std::string(kHelpColumn, ' '));
      out += option.help.text() + Note(option, table.show_defaults) + "\n";
    }
  }
  return out;
}

std::string OptionsMarkdown(const std::vector<OptionTable>& tables) {
  std::string out;
  for (const OptionTable& table : tables) {
    if (table.section.empty()) continue;
    out += fmt::format(
        "\n## [{}] {}\n\n| key | flag | environment | type | default | meaning |\n| --- | --- | "
        "--- | --- | --- | --- |\n",
        table.section, table.title.english);
    for (const Option& option : table.options) {
      const std::string range = OptionRangeText(option);
      const std::string value = OptionText(option);
      out += fmt::format("| `{}` | `{}` | `{}` | {}{} | {} | {} |\n", OptionFileKey(option),
                         MarkdownCell(FlagText(option)), OptionEnvironmentName(option),
                         OptionTypeName(option), range.empty() ? "" : ": " + range,
                         value.empty() ? "" : "`" + value + "`", MarkdownCell(option.help.english));
    }
  }
  return out;
}

std::string EffectiveText(const OptionSet& options) {
  std::string out;
  for (size_t t = 0; t < options.tables().size(); ++t) {
    const OptionTable& table = options.tables()[t];
    if (table.section.empty()) continue;
    out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", table.section);
    for (size_t i = 0; i < table.options.size(); ++i) {
      const std::string line =
          OptionFileKey(table.options[i]) + " = " + TomlValue(table.options[i]);
      out += fmt::format("{:<44} # {}\n", line, SourceText(options.origin(t, i)));
    }
  }
  return out;
}

Result<std::string> CompletionScript(std::string_view shell, std::string_view program,
                                     const std::vector<CompletionCommand>& commands) {
  if (shell == "bash") return BashScript(program, commands);
  if (shell == "zsh") return ZshScript(program, commands);
  if (shell == "fish") return FishScript(program, commands);
  return InvalidArgument(TrFormat("unknown shell '{}': wanted bash, zsh or fish",
                                  "未知的 shell '{}'：应为 bash、zsh 或 fish", shell),
                         "shell");
}

}  // namespace pingti
