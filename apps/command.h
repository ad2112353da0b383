// Command: one subcommand of the binary, in a file of its own (cmd_<name>.cc) and one line of
// commands.cc.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/options.h"
#include "config.h"

namespace pingti::apps {

// Exit codes of the program.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;

// What a command gets: settings are already in Config and in the command's own members.
struct Invocation {
  Config& config;
  const OptionSet& options;
  const OptionSet::Arguments& arguments;
  const std::vector<std::string>& positionals;
};

class Command {
 public:
  virtual ~Command() = default;

  virtual Message summary() const = 0;  // one line
  // What follows the command's name, and what else there is to know (may hold line feeds).
  virtual Message usage() const = 0;
  // The sections of Config whose flags it takes.
  virtual std::vector<std::string_view> sections() const { return {}; }
  // Options of its own: flags only.
  virtual std::vector<OptionTable> own_tables() { return {}; }
  virtual bool takes_files() const { return false; }

  // The exit code. An error is printed by main.
  virtual Result<int> Run(Invocation& invocation) = 0;
};

struct CommandEntry {
  std::string_view name;
  std::unique_ptr<Command> (*make)();
};

// In the order of the help.
std::span<const CommandEntry> Commands();

// All tables of `command` on `config`, its own last; flags only where it takes them.
std::vector<OptionTable> TablesOf(Command& command, Config& config);

// What is wrong with this command line: exit code 2.
Status UsageError(std::string message);

std::string VersionText();

}  // namespace pingti::apps
