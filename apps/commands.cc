#include "command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace pingti::apps {

std::unique_ptr<Command> MakeConfigCommand();
std::unique_ptr<Command> MakeCompletionCommand();
std::unique_ptr<Command> MakeServeCommand();
std::unique_ptr<Command> MakeRunCommand();
std::unique_ptr<Command> MakeChatCommand();
std::unique_ptr<Command> MakeModelsCommand();
std::unique_ptr<Command> MakeBenchCommand();
std::unique_ptr<Command> MakeDoctorCommand();
std::unique_ptr<Command> MakePullCommand();
std::unique_ptr<Command> MakeKeysCommand();

namespace {

constexpr std::array kCommands = {
    CommandEntry{"serve", MakeServeCommand},
    CommandEntry{"run", MakeRunCommand},
    CommandEntry{"chat", MakeChatCommand},
    CommandEntry{"models", MakeModelsCommand},
    CommandEntry{"pull", MakePullCommand},
    CommandEntry{"keys", MakeKeysCommand},
    CommandEntry{"doctor", MakeDoctorCommand},
    CommandEntry{"bench", MakeBenchCommand},
    CommandEntry{"config", MakeConfigCommand},
    CommandEntry{"completion", MakeCompletionCommand},
};

}  // namespace

std::span<const CommandEntry> Commands() { return kCommands; }

std::vector<OptionTable> TablesOf(Command& command, Config& config) {
  std::vector<OptionTable> tables = ConfigTables(config);
  const std::vector<std::string_view> taken = command.sections();
  for (OptionTable& table : tables)
    table.flags = std::find(taken.begin(), taken.end(), table.section) != taken.end();
  std::vector<OptionTable> own = command.own_tables();
  tables.insert(tables.begin(), std::make_move_iterator(own.begin()),
                std::make_move_iterator(own.end()));
  return tables;
}

Status UsageError(std::string message) { return InvalidArgument(std::move(message), "usage"); }

std::string VersionText() {
  return fmt::format("pingti {} ({}, {})", PINGTI_VERSION,
#if defined(__clang__)
                     "clang " + std::to_string(__clang_major__),
#else
                     "gcc " + std::to_string(__GNUC__),
#endif
#ifdef NDEBUG
                     "release"
#else
                     "debug"
#endif
  );
}

}  // namespace pingti::apps
