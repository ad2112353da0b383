#include "models/generation_defaults.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace pingti::models {
namespace {

struct Known {
  std::string_view name_part;  // lower case, words joined by "-"
  GenerationDefaults defaults;
};

constexpr std::array<Known, 1> kKnown = {{
    {"deepseek-r1", {.temperature = 0.6F, .top_p = 0.95F}},  // and its distills
}};

}  // namespace

const GenerationDefaults* FindGenerationDefaults(std::string_view name) {
  std::string normal(name);
  std::ranges::transform(normal, normal.begin(), [](unsigned char c) {
    return std::isalnum(c) != 0 ? static_cast<char>(std::tolower(c)) : '-';
  });
  for (const Known& known : kKnown) {
    if (normal.find(known.name_part) != std::string::npos) return &known.defaults;
  }
  return nullptr;
}

}  // namespace pingti::models
