#include "models/registry.h"

#include <fmt/format.h>

#include <algorithm>

namespace pingti::models {
namespace {

constinit const ModelRegistration* registrations = nullptr;

}  // namespace

ModelRegistration::ModelRegistration(std::string_view architecture_name, ModelFactory make_model)
    : architecture(architecture_name), factory(make_model), next(registrations) {
  registrations = this;
}

const ModelRegistration* FindModel(std::string_view architecture) {
  for (const ModelRegistration* model = registrations; model != nullptr; model = model->next) {
    if (model->architecture == architecture) return model;
  }
  return nullptr;
}

std::vector<std::string_view> KnownModels() {
  std::vector<std::string_view> names;
  for (const ModelRegistration* model = registrations; model != nullptr; model = model->next) {
    names.push_back(model->architecture);
  }
  std::ranges::sort(names);
  return names;
}

Result<std::unique_ptr<Model>> LoadModel(const formats::ModelFile& file, ops::Context& ctx,
                                         const LoadOptions& options) {
  constexpr std::string_view kKey = "general.architecture";
  PT_ASSIGN(const std::optional<std::string> architecture, file.String(kKey));
  if (!architecture)
    return InvalidArgument(fmt::format("metadata key '{}' is missing", kKey), std::string(kKey));
  const ModelRegistration* family = FindModel(*architecture);
  if (family == nullptr) {
    return Unimplemented(fmt::format("the model's architecture is '{}'; this version runs {}",
                                     *architecture, fmt::join(KnownModels(), ", ")),
                         std::string(kKey));
  }
  return family->factory(file, ctx, options);
}

}  // namespace pingti::models
