// What is generated from option tables: help, the reference page, the effective values, shell
// completion.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/options.h"

namespace pingti {

// "Server:\n  --port N      help (0..65535; default 8080)\n..." of the tables whose flags are
// taken.
std::string HelpText(const std::vector<OptionTable>& tables);

// docs/configuration.md's tables, one a section; in English, with the defaults of `tables`.
std::string OptionsMarkdown(const std::vector<OptionTable>& tables);

// The values in force and where each came from, as a TOML file with comments; secrets masked.
std::string EffectiveText(const OptionSet& options);

// A program's words for a shell: its commands with their flags.
struct CompletionCommand {
  std::string name;
  std::string summary;
  std::vector<OptionTable> tables;
  bool takes_files = false;  // positional arguments are files
};
// shell: "bash", "zsh" or "fish"; else InvalidArgument.
Result<std::string> CompletionScript(std::string_view shell, std::string_view program,
                                     const std::vector<CompletionCommand>& commands);

}  // namespace pingti
