// UserMarks: finds which bytes of a rendered prompt came from the user. See chat_template.h for the
// scheme. Immutable; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace pingti::text {

class UserMarks final {
 public:
  enum class Extent : uint8_t {
    kAll,      // every character that can be replaced
    kControl,  // what is, or could become, part of a control token
  };

  UserMarks(std::string_view template_source, std::vector<std::string> template_literals,
            std::vector<std::string> control_texts);

  // How to mark one prompt.
  struct Plan {
    Extent extent = Extent::kAll;
    char32_t base =
        0;  // marks are base + the character: a private plane that the prompt does not use itself
  };
  // The base for a prompt; 0 where all private planes are in use.
  static char32_t ChooseBase(std::string_view plain);

  // A copy of `value`, the user's data, with its strings marked.
  json::value Mark(const json::value& value, Plan plan) const;

  // The untrusted ranges of `plain`, if `marked` is the same text with marks; nullopt where it is
  // not.
  static std::optional<std::vector<TextRange>> Compare(std::string_view plain,
                                                       std::string_view marked, char32_t base);

  // Whether some control token stands unmarked in `text` more often than in `reference`.
  bool HasMoreControl(std::string_view text, std::string_view reference) const;

 private:
  void MarkInto(const json::value& value, Plan plan, bool is_role, json::value& out) const;
  std::string MarkText(std::string_view text, Plan plan) const;
  // For each byte of `text` whether its character is to be replaced.
  std::vector<bool> Chosen(std::string_view text, Extent extent) const;
  void ChooseControl(std::string_view text, std::vector<bool>& chosen) const;
  bool IsTemplateWord(std::string_view text) const;
  std::string MarkKey(std::string_view key, Plan plan) const;

  std::string source_;
  std::vector<std::string> words_;  // literals that are identifiers: compared with roles and types
  std::vector<std::string>
      shared_;  // literals with signs, free of control tokens: kept as they are
  std::vector<std::string> control_;
};

}  // namespace pingti::text
