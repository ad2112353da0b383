// The families that this binary knows. A family's file ends with one line:
//   PINGTI_REGISTER_MODEL("qwen2", MakeQwen2);
// The registrar is a node on an intrusive list, made before main without allocation; the list is read-only afterwards.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "models/model.h"

namespace pingti::models {

using ModelFactory = Result<std::unique_ptr<Model>> (*)(const formats::ModelFile& file, ops::Context& ctx,
                                                        const LoadOptions& options);

struct ModelRegistration {
  ModelRegistration(std::string_view architecture_name, ModelFactory make_model);

  std::string_view architecture;  // general.architecture of the files
  ModelFactory factory;
  const ModelRegistration* next;
};

// nullptr where no family has that name.
const ModelRegistration* FindModel(std::string_view architecture);
std::vector<std::string_view> KnownModels();  // sorted

}  // namespace pingti::models

#define PINGTI_REGISTER_MODEL(architecture, factory) \
  static const ::pingti::models::ModelRegistration kRegistration { architecture, factory }
