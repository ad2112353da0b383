// Options: one table per struct of settings, from which come the flags, the environment names, the
// keys of the TOML file, the messages of validation, `--help`, shell completion and
// docs/configuration.md.
//
// A component has a plain struct with its defaults; a function makes its table, whose entries point
// at the struct's members. OptionSet applies file, environment and flags, in rising precedence, and
// remembers where each value came from. Used by main's thread before others start; nothing here is
// global.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/config_file.h"
#include "base/i18n.h"
#include "base/result.h"

namespace pingti {

// A text in both languages.
struct Message {
  const char* english = "";
  const char* chinese = "";
  const char* text() const { return Tr(english, chinese); }
};

using OptionTarget = std::variant<bool*, uint16_t*, int32_t*, int64_t*, uint64_t*, float*, double*,
                                  std::string*, std::filesystem::path*, std::vector<std::string>*>;

struct Option {
  // In kebab-case: "context-length" is --context-length, PINGTI_CONTEXT_LENGTH and context_length
  // in the file.
  std::string name;
  OptionTarget target;
  Message help;
  std::string value_name = {};                            // "FILE"; empty: from the type
  double min = -std::numeric_limits<double>::infinity();  // of numbers
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices = {};  // of texts; empty: any
  std::vector<std::string> aliases = {};  // further flag names
  char letter = '\0';                     // -m
  bool bytes = false;                     // an amount of memory: 4096, 512M, 2GiB
  bool secret = false;                    // printed as ***
};

struct OptionTable {
  std::string section;  // of the TOML file: [server]; empty: flags only (no file, no environment)
  Message title;
  std::vector<Option> options = {};
  bool show_defaults = true;  // in help; false: they depend on something else
  bool flags = true;          // false: this command does not take them on its command line
};

enum class OptionSource : uint8_t { kDefault, kFile, kEnvironment, kFlag };

// The value as text, as the file would have it ("true", "8080", "a,b").
std::string OptionText(const Option& option);
// "integer", "number", "text", "path", "yes/no", "list", "size".
std::string_view OptionTypeName(const Option& option);
// "0..65535", "f16, q8", or empty.
std::string OptionRangeText(const Option& option);
std::string OptionEnvironmentName(const Option& option);  // "PINGTI_CONTEXT_LENGTH"
std::string OptionFileKey(const Option& option);          // "context_length"

// Sets the target from text; the error names option, wanted and found. `spelled` is what the user
// wrote ("--port", "PINGTI_PORT", "pingti.toml:3").
Status SetOption(const Option& option, std::string_view text, std::string_view spelled);

// The candidate nearest to `wrong` by edit distance, or empty where none is near.
std::string Nearest(std::string_view wrong, const std::vector<std::string>& candidates);

class OptionSet final {
 public:
  // `sections` of tables; the targets outlive this.
  explicit OptionSet(std::vector<OptionTable> tables);

  const std::vector<OptionTable>& tables() const { return tables_; }

  // What is on a command line, not applied yet.
  struct Flag {
    size_t table = 0, option = 0;
    std::string value;
    std::string spelled;  // "--port"
  };
  struct Arguments {
    std::vector<Flag> flags;
    std::vector<std::string> positionals;
    bool help = false;
  };
  // The error of an unknown flag suggests the nearest known one.
  Result<Arguments> Parse(const std::vector<std::string>& arguments) const;

  // In this order. Unknown keys of the file are errors with a suggestion.
  Status ApplyFile(const ConfigFile& file);
  // `get` is getenv; options of tables without a section have no environment name.
  Status ApplyEnvironment(const std::function<const char*(const char*)>& get);
  Status ApplyFlags(const Arguments& arguments);

  struct Origin {
    OptionSource source = OptionSource::kDefault;
    std::string where;  // "--port", "PINGTI_PORT", "/etc/pingti.toml:3"
  };
  const Origin& origin(size_t table, size_t option) const { return origins_[table][option]; }

 private:
  struct Found {
    const Option* option = nullptr;
    size_t table = 0, index = 0;
    bool negated = false;
  };
  Result<Found> FindFlag(std::string_view flag) const;
  Status ParseOne(const std::vector<std::string>& arguments, size_t& at, Arguments& parsed) const;
  Status ApplySetting(const ConfigSetting& setting, const std::string& where);
  Status Apply(size_t table, size_t option, std::string_view text, OptionSource source,
               std::string where);

  std::vector<OptionTable> tables_;
  std::vector<std::vector<Origin>> origins_;
};

}  // namespace pingti
