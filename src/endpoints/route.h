// Routes: each endpoint's file ends with one registration line; the router finds them by method and path.
//   PINGTI_REGISTER_ROUTE("POST", "/v1/chat/completions", HandleChat, .weight = Weight::kHeavy);
// A registration is a node on an intrusive list, made before main without allocation; the list is read-only afterwards.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"
#include "observe/access_log.h"
#include "observe/metrics.h"
#include "protocol/backend.h"
#include "protocol/generation_request.h"

namespace pingti::endpoints {

// What all endpoints share; outlives every Call.
struct Context {
  protocol::Backend& backend;
  observe::Metrics& metrics;
  protocol::RequestLimits limits;
  std::string version;                // "0.1.0"
  // Runs a task on a thread that may take its time; false: too many wait.
  std::function<bool(std::function<void()> task)> run_heavy = {};
  std::function<json::object()> key_usage = {};  // API keys, their limits and what they used; empty: no keys here
  int64_t heartbeat_ms = 10'000;      // of a stream that has nothing to say yet; 0: none
};

// One request on its way through an endpoint.
struct Call {
  std::shared_ptr<net::Exchange> exchange;
  Context* context;
  protocol::Caller caller;
  // Becomes the access log's line when its last holder lets go. Written on the exchange's thread only.
  std::shared_ptr<observe::AccessRecord> record;
  std::chrono::steady_clock::time_point arrived;
  // Called once at the end of a generation, however it ends. May be empty.
  std::function<void(const protocol::Usage&)> on_usage = {};

  const net::Request& request() const { return exchange->request(); }
};

using Handler = void (*)(Call call);

enum class Access : uint8_t { kKey, kOpen };     // kOpen: asks for no API key
enum class Weight : uint8_t { kLight, kHeavy };  // kHeavy: parses much or tokenises, so not on a sockets' thread

struct RouteOptions {
  Access access = Access::kKey;
  Weight weight = Weight::kLight;
  std::string_view scope = {};                   // that an API key must have; empty: any key will do
};

struct Route {
  Route(std::string_view route_method, std::string_view route_path, Handler route_handler, RouteOptions route_options);

  std::string_view method;
  std::string_view path;    // exact, or with a last segment "*"
  Handler handler;
  RouteOptions options;
  const Route* next;
};

struct RouteMatch {
  const Route* route = nullptr;              // null: none
  std::vector<std::string_view> allowed;     // methods of this path, where only the method is wrong
};

// HEAD finds GET's route.
RouteMatch FindRoute(std::string_view method, std::string_view path);
std::vector<const Route*> AllRoutes();       // sorted by path

// Answers.
void RespondJson(const Call& call, const json::value& value);
void RespondError(net::Exchange& exchange, const Status& error);
net::Response ErrorResponse(const Status& error);
net::Response HttpErrorResponse(int32_t status, const std::string& message);

}  // namespace pingti::endpoints

#define PINGTI_ROUTE_CONCAT_INNER(a, b) a##b
#define PINGTI_ROUTE_CONCAT(a, b) PINGTI_ROUTE_CONCAT_INNER(a, b)
#define PINGTI_REGISTER_ROUTE(method, path, handler, ...)                                             \
  static const ::pingti::endpoints::Route PINGTI_ROUTE_CONCAT(kRoute, __LINE__)(method, path, handler, \
                                                                                RouteOptions{__VA_ARGS__})
