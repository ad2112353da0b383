// pingti completion: a script for the shell, from the option tables.
#include <cstdio>

#include "base/options_text.h"
#include "command.h"

namespace pingti::apps {
namespace {

class CompletionCommand final : public Command {
 public:
  Message summary() const override {
    return {"completion script for bash, zsh or fish", "bash、zsh 或 fish 的补全脚本"};
  }
  Message usage() const override {
    return {"bash|zsh|fish\nLoad it with: source <(pingti completion bash)\n",
            "bash|zsh|fish\n加载方式：source <(pingti completion bash)\n"};
  }

  Result<int> Run(Invocation& invocation) override {
    if (invocation.positionals.size() != 1) {
      return UsageError(Tr("completion: name one shell: bash, zsh or fish",
                           "completion：请指定一种 shell：bash、zsh 或 fish"));
    }
    std::vector<std::unique_ptr<Command>> commands;  // own the targets of the tables
    std::vector<pingti::CompletionCommand> described;
    Config config;
    for (const CommandEntry& entry : Commands()) {
      commands.push_back(entry.make());
      described.push_back({.name = std::string(entry.name),
                           .summary = commands.back()->summary().text(),
                           .tables = TablesOf(*commands.back(), config),
                           .takes_files = commands.back()->takes_files()});
    }
    PT_ASSIGN(const std::string script,
              CompletionScript(invocation.positionals[0], "pingti", described));
    std::fwrite(script.data(), 1, script.size(), stdout);
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeCompletionCommand() { return std::make_unique<CompletionCommand>(); }

}  // namespace pingti::apps
