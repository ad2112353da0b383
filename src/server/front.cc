#include "server/front.h"

#include <algorithm>

#include "protocol/errors.h"

namespace pingti::server {

using endpoints::Call;

namespace {

std::string Joined(const std::vector<std::string_view>& methods) {
  std::string out;
  for (const std::string_view method : methods) out += std::string(out.empty() ? "" : ", ") + std::string(method);
  return out;
}

// Labels must not be the client's to choose.
std::string_view KnownMethod(std::string_view method) {
  for (const std::string_view known : {"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"}) {
    if (method == known) return known;
  }
  return "other";
}

// "application/json", also with parameters. A body of another type is refused: browsers send those to any address
// without asking first, so that a page from elsewhere could use a server on the reader's machine.
bool IsJson(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return net::EqualsIgnoreCase(type, "application/json");
}

}  // namespace

Front::Front(const ServerOptions& options, ApiKeys& keys, endpoints::Context& context, RequestPool& pool,
             observe::AccessLog* maybe_log)
    : options_(options), keys_(keys), context_(context), pool_(pool), log_(maybe_log) {}

bool Front::ApplyCors(net::Exchange& exchange) const {
  if (options_.cors_origins.empty()) return false;
  const net::Request& request = exchange.request();
  const std::string_view origin = request.headers.Get("Origin");
  if (origin.empty()) return false;
  const auto& origins = options_.cors_origins;
  const bool any = std::find(origins.begin(), origins.end(), "*") != origins.end();
  if (!any && std::find(origins.begin(), origins.end(), origin) == origins.end()) return false;
  exchange.AddHeader("Access-Control-Allow-Origin", any ? "*" : std::string(origin));
  if (!any) exchange.AddHeader("Vary", "Origin");
  exchange.AddHeader("Access-Control-Expose-Headers",
                     "x-request-id, retry-after, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
                     "x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, "
                     "x-ratelimit-reset-tokens");
  if (request.method != "OPTIONS" || !request.headers.Has("Access-Control-Request-Method")) return false;
  // Clients send headers of their own; '*' is for any but authorization.
  exchange.Respond({.status = 204,
                    .headers = {{"Access-Control-Allow-Methods", "GET, POST, OPTIONS"},
                                {"Access-Control-Allow-Headers", "authorization, content-type, *"},
                                {"Access-Control-Max-Age", "600"}},
                    .body = {}});
  return true;
}

std::shared_ptr<observe::AccessRecord> Front::NewRecord(const net::Exchange& exchange) const {
  const net::Request& request = exchange.request();
  auto record = std::make_unique<observe::AccessRecord>();
  record->request_id = exchange.request_id();
  record->method = request.method;
  record->path = request.path;
  record->peer = request.peer;
  return {record.release(), [log = log_](observe::AccessRecord* done) {
            if (log != nullptr) log->Write(std::move(*done));
            delete done;
          }};
}

void Front::Watch(const Call& call, std::string_view handler) {
  const std::string labels = "method=\"" + std::string(KnownMethod(call.request().method)) + "\",handler=\"" +
                             std::string(handler) + "\"";
  call.exchange->OnDone([this, labels, record = call.record, arrived = call.arrived](int32_t status, uint64_t bytes) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - arrived).count();
    record->status = status;
    record->body_bytes = bytes;
    record->duration_ms = seconds * 1e3;
    observe::Metrics& metrics = context_.metrics;
    metrics.http_requests.With(labels + ",status=\"" + std::to_string(status / 100) + "xx\"").Add();
    metrics.http_duration.With(labels).Observe(seconds);
    if (status == 429 || status == 503) metrics.rejected.Add();
  });
}

void Front::Handle(std::shared_ptr<net::Exchange> exchange) {
  exchange->AddHeader("Server", "pingti");
  exchange->AddHeader("X-Content-Type-Options", "nosniff");
  if (ApplyCors(*exchange)) return;
  const net::Request& request = exchange->request();
  const endpoints::RouteMatch match = endpoints::FindRoute(request.method, request.path);
  Call call{.exchange = exchange,
            .context = &context_,
            .caller = {},
            .record = NewRecord(*exchange),
            .arrived = std::chrono::steady_clock::now()};
  Watch(call, match.route != nullptr ? match.route->path : "none");
  if (match.route == nullptr) {
    const std::string what = request.method.substr(0, 20) + " " + request.path.substr(0, 200);
    if (match.allowed.empty()) {
      return exchange->Respond(endpoints::HttpErrorResponse(404, "Unknown request URL: " + what + "."));
    }
    exchange->AddHeader("Allow", Joined(match.allowed) + ", OPTIONS");
    if (request.method == "OPTIONS") return exchange->Respond({.status = 204, .headers = {}, .body = {}});
    return exchange->Respond(endpoints::HttpErrorResponse(405, "Not allowed to " + what + "."));
  }
  if (!Admit(call, match.route->options)) return;
  const std::string_view content_type = request.headers.Get("Content-Type");
  if (!request.body.empty() && !content_type.empty() && !IsJson(content_type)) {
    return exchange->Respond(endpoints::HttpErrorResponse(
        415, "Unsupported content type: wanted application/json, found " + std::string(content_type.substr(0, 100)) + "."));
  }
  if (match.route->options.weight == endpoints::Weight::kLight) return match.route->handler(std::move(call));
  if (draining_) return endpoints::RespondError(*exchange, Unavailable("The server is shutting down."));
  RunHeavy(std::move(call), match.route->handler);
}

bool Front::Admit(Call& call, const endpoints::RouteOptions& route) {
  if (route.access == endpoints::Access::kOpen || !keys_.required()) return true;
  ApiKeys::Admission admission = keys_.Admit(call.request().headers.Get("Authorization"), route);
  for (auto& [name, value] : admission.headers) call.exchange->AddHeader(std::move(name), std::move(value));
  call.record->key_name = admission.name;
  if (!admission.status.ok()) {
    net::Response response = endpoints::ErrorResponse(admission.status);
    if (admission.retry_after_s > 0) response.headers.Set("Retry-After", std::to_string(admission.retry_after_s));
    call.exchange->Respond(std::move(response));
    return false;
  }
  call.caller = {.key_name = admission.name, .cache_salt = admission.name};
  call.on_usage = [this, name = std::move(admission.name)](const protocol::Usage& usage) { keys_.Count(name, usage); };
  return true;
}

void Front::RunHeavy(Call call, endpoints::Handler handler) {
  const std::shared_ptr<net::Exchange> exchange = call.exchange;
  const bool queued = pool_.Submit([call = std::move(call), handler] {
    if (call.exchange->disconnected()) return;
    // The one catch of a request: what throws is our bug or a lack of memory, and costs this request only.
    try {
      handler(call);
    } catch (const std::exception&) {
      endpoints::RespondError(*call.exchange, Internal("The server had an error while processing your request."));
    }
  });
  if (!queued) endpoints::RespondError(*exchange, ResourceExhausted("Too many requests are waiting; try again later."));
}

}  // namespace pingti::server
