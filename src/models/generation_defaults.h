// Default sampling of models whose files do not carry it: GGUF has no place for the
// generation_config.json that such a model was published with. Plain data.
#pragma once

#include <string_view>

namespace pingti::models {

struct GenerationDefaults {
  float temperature = 1.0F;
  float top_p = 1.0F;
};

// By the file's general.name or general.basename; nullptr where nothing is known.
const GenerationDefaults* FindGenerationDefaults(std::string_view name);

}  // namespace pingti::models
