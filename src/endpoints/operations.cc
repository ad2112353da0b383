// GET /health (alive), /ready (can answer now), /metrics, /version; /pingti/status and /pingti/usage (for the console)
#include "endpoints/route.h"

namespace pingti::endpoints {

namespace {

void HandleHealth(Call call) { RespondJson(call, json::object{{"status", "ok"}}); }

void HandleReady(Call call) {
  const Status ready = call.context->backend.Ready();
  if (!ready.ok()) return RespondError(*call.exchange, ready);
  RespondJson(call, json::object{{"status", "ready"}});
}

void HandleMetrics(Call call) {
  call.context->backend.UpdateMetrics();
  call.exchange->Respond({.status = 200,
                          .headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                          .body = call.context->metrics.Render()});
}

void HandleVersion(Call call) { RespondJson(call, json::object{{"version", call.context->version}}); }

void HandleStatus(Call call) {
  json::object body = call.context->backend.Describe();
  body["version"] = call.context->version;
  body["keys"] = static_cast<bool>(call.context->key_usage);
  RespondJson(call, body);
}

void HandleUsage(Call call) {
  if (!call.context->key_usage) return RespondError(*call.exchange, NotFound("This server has no API keys."));
  RespondJson(call, call.context->key_usage());
}

PINGTI_REGISTER_ROUTE("GET", "/health", HandleHealth, .access = Access::kOpen);
PINGTI_REGISTER_ROUTE("GET", "/ready", HandleReady, .access = Access::kOpen);
PINGTI_REGISTER_ROUTE("GET", "/metrics", HandleMetrics, .scope = "metrics");
PINGTI_REGISTER_ROUTE("GET", "/version", HandleVersion);
PINGTI_REGISTER_ROUTE("GET", "/pingti/status", HandleStatus);
PINGTI_REGISTER_ROUTE("GET", "/pingti/usage", HandleUsage, .scope = "metrics");

}  // namespace

}  // namespace pingti::endpoints
