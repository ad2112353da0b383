// GET /v1/models and GET /v1/models/{id}
#include "endpoints/route.h"
#include "protocol/answers.h"
#include "protocol/errors.h"

namespace pingti::endpoints {

namespace {

constexpr std::string_view kPrefix = "/v1/models/";

void HandleList(Call call) {
  json::array data;
  for (const protocol::ModelCard& card : call.context->backend.Models()) data.push_back(protocol::ModelJson(card));
  RespondJson(call, json::object{{"object", "list"}, {"data", std::move(data)}});
}

void HandleOne(Call call) {
  const std::string id = call.request().path.substr(kPrefix.size());
  for (const protocol::ModelCard& card : call.context->backend.Models()) {
    if (card.id == id) return RespondJson(call, protocol::ModelJson(card));
  }
  RespondError(*call.exchange,
               NotFound("The model '" + id + "' does not exist.", "model").WithReason(protocol::kModelNotFound));
}

PINGTI_REGISTER_ROUTE("GET", "/v1/models", HandleList);
PINGTI_REGISTER_ROUTE("GET", "/v1/models/*", HandleOne);

}  // namespace

}  // namespace pingti::endpoints
