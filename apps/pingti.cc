// The one binary: finds the subcommand, brings its settings together and runs it.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "base/config_file.h"
#include "base/i18n.h"
#include "base/log.h"
#include "base/options_text.h"
#include "command.h"

namespace pingti::apps {
namespace {

constexpr int kNameColumn = 14;

struct Started {
  const CommandEntry* entry = nullptr;
  std::unique_ptr<Command> command;
};

void Print(std::FILE* out, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out);
}

void PrintError(const Status& status) { Print(stderr, "pingti: " + status.message() + "\n"); }

std::string ProgramHelp() {
  std::string out = VersionText() + "\n\n";
  out += Tr("usage: pingti COMMAND [ARGUMENTS]      (pingti COMMAND --help says more)\n\n",
            "用法：pingti 命令 [参数]      （pingti 命令 --help 查看详情）\n\n");
  for (const CommandEntry& entry : Commands()) {
    const std::string gap(kNameColumn - entry.name.size(), ' ');
    out += fmt::format("  {}{}{}\n", entry.name, gap, entry.make()->summary().text());
  }
  out +=
      Tr("\nSettings come from flags, then PINGTI_... variables, then a TOML file; see `pingti "
         "config --help`.\n",
         "\n设置的优先级：命令行参数、PINGTI_... 环境变量、TOML 文件；参见 `pingti config "
         "--help`。\n");
  return out;
}

std::string CommandHelp(const Started& started, const std::vector<OptionTable>& tables) {
  return fmt::format("{}\n\n{} pingti {} {}\n{}", started.command->summary().text(),
                     Tr("usage:", "用法："), started.entry->name, started.command->usage().text(),
                     HelpText(tables));
}

Result<Started> FindCommand(const std::string& name) {
  std::vector<std::string> known;
  for (const CommandEntry& entry : Commands()) {
    if (entry.name == name) return Result<Started>(Started{&entry, entry.make()});
    known.emplace_back(entry.name);
  }
  const std::string nearest = Nearest(name, known);
  if (nearest.empty())
    return UsageError(TrFormat("unknown command '{}'; see pingti --help",
                               "未知命令 '{}'；参见 pingti --help", name));
  return UsageError(TrFormat("unknown command '{}'; did you mean '{}'?",
                             "未知命令 '{}'；是否想写 '{}'？", name, nearest));
}

// File, environment, flags, in rising precedence.
Status ApplySettings(OptionSet& options, const OptionSet::Arguments& arguments,
                     std::filesystem::path file) {
  if (file.empty()) {
    const char* named = std::getenv("PINGTI_CONFIG");
    if (named != nullptr) file = named;
  }
  if (file.empty() && std::filesystem::exists(DefaultConfigFile())) file = DefaultConfigFile();
  if (!file.empty()) {
    PT_ASSIGN(const ConfigFile config, ReadConfigFile(file));
    PT_TRY(options.ApplyFile(config));
  }
  PT_TRY(
      options.ApplyEnvironment([](const char* name) -> const char* { return std::getenv(name); }));
  return options.ApplyFlags(arguments);
}

Result<int> RunCommand(const std::string& name, const std::vector<std::string>& rest) {
  PT_ASSIGN(const Started started, FindCommand(name));
  Config config;
  std::filesystem::path file;
  std::vector<OptionTable> tables = TablesOf(*started.command, config);
  tables.push_back(
      {.section = "",
       .title = {"General", "通用"},
       .options = {{.name = "config",
                    .target = &file,
                    .help = {"TOML file of settings (default: PINGTI_CONFIG, or the user's)",
                             "TOML 配置文件（默认：PINGTI_CONFIG 或用户配置）"}}}});
  OptionSet options(tables);
  PT_ASSIGN(const OptionSet::Arguments arguments, options.Parse(rest));
  if (arguments.help) {
    Print(stdout, CommandHelp(started, tables));
    return kExitOk;
  }
  for (const OptionSet::Flag& flag :
       arguments.flags) {  // the file is needed before the other flags
    if (tables[flag.table].options[flag.option].name == "config") file = flag.value;
  }
  PT_TRY(ApplySettings(options, arguments, file));
  PT_TRY(ConfigureLog(config.log));
  Invocation invocation{config, options, arguments, arguments.positionals};
  return started.command->Run(invocation);
}

int Main(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" ||
      arguments[0] == "help") {
    if (arguments.size() > 1 && arguments[0] == "help") return Main({arguments[1], "--help"});
    Print(stdout, ProgramHelp());
    return kExitOk;
  }
  if (arguments[0] == "--version" || arguments[0] == "-V" || arguments[0] == "version") {
    Print(stdout, VersionText() + "\n");
    return kExitOk;
  }
  const Result<int> code = RunCommand(arguments[0], {arguments.begin() + 1, arguments.end()});
  if (code.ok()) return *code;
  PrintError(code.status());
  return code.status().code() == StatusCode::kInvalidArgument ? kExitUsage : kExitFailure;
}

}  // namespace

}  // namespace pingti::apps

int main(int argc, char** argv) {
  try {
    return pingti::apps::Main({argv + 1, argv + argc});
  } catch (const std::exception& error) {  // a library threw where nobody expected it
    std::fprintf(stderr, "pingti: %s\n", error.what());
    return pingti::apps::kExitFailure;
  }
}
