// Bundle: a model ready to use, with all that its file says: weights, tokenizer, chat template and default sampling.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "formats/model_file.h"
#include "models/model.h"
#include "ops/context.h"
#include "runtime/sampling.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace pingti::runtime {

struct Bundle {
  std::string name;                              // what clients send: the file's stem, as general.name is often a training run's
  std::unique_ptr<formats::ModelFile> file;      // outlives the model
  std::unique_ptr<models::Model> model;
  std::shared_ptr<const text::Tokenizer> tokenizer;
  std::shared_ptr<const text::ChatTemplate> chat_template;  // null where the file has none
  SamplingParams defaults;                       // from generation_config or the file's metadata
};

// What a tokenizer and a template need of a model file. An error names the missing or wrong key.
Result<std::shared_ptr<const text::Tokenizer>> MakeTokenizer(const formats::ModelFile& file);
Result<std::shared_ptr<const text::ChatTemplate>> MakeChatTemplate(const formats::ModelFile& file,
                                                                   const text::Tokenizer& tokenizer);

// Opens `path` (a file or a folder) and loads all of it. A vocabulary that does not fit the model is refused in plain
// words. `ctx` outlives the bundle.
Result<Bundle> LoadBundle(const std::filesystem::path& path, ops::Context& ctx, const models::LoadOptions& options);

}  // namespace pingti::runtime
