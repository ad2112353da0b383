#include "endpoints/route.h"

#include <algorithm>

#include "protocol/errors.h"

namespace pingti::endpoints {

namespace {

const Route*& Head() {
  static const Route* head = nullptr;
  return head;
}

bool Matches(std::string_view pattern, std::string_view path) {
  if (!pattern.ends_with("/*")) return pattern == path;
  pattern.remove_suffix(1);
  return path.size() > pattern.size() && path.starts_with(pattern);
}

net::Response FromAnswer(protocol::ErrorAnswer answer) {
  net::Response response{
      .status = answer.http_status, .headers = {{"Content-Type", "application/json"}}, .body = std::move(answer.body)};
  if (answer.retry_after_s > 0) response.headers.Add("Retry-After", std::to_string(answer.retry_after_s));
  if (answer.http_status == 401) response.headers.Add("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

Route::Route(std::string_view route_method, std::string_view route_path, Handler route_handler,
             RouteOptions route_options)
    : method(route_method), path(route_path), handler(route_handler), options(route_options), next(Head()) {
  Head() = this;
}

RouteMatch FindRoute(std::string_view method, std::string_view path) {
  RouteMatch match;
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Route* route = Head(); route != nullptr; route = route->next) {
    if (!Matches(route->path, path)) continue;
    if (route->method == wanted) match.route = route;
    match.allowed.push_back(route->method);
  }
  std::sort(match.allowed.begin(), match.allowed.end());
  return match;
}

std::vector<const Route*> AllRoutes() {
  std::vector<const Route*> all;
  for (const Route* route = Head(); route != nullptr; route = route->next) all.push_back(route);
  std::sort(all.begin(), all.end(), [](const Route* a, const Route* b) {
    return std::pair(a->path, a->method) < std::pair(b->path, b->method);
  });
  return all;
}

void RespondJson(const Call& call, const json::value& value) {
  call.exchange->Respond({.status = 200, .headers = {{"Content-Type", "application/json"}}, .body = ToJson(value)});
}

net::Response ErrorResponse(const Status& error) { return FromAnswer(protocol::ToErrorAnswer(error)); }

net::Response HttpErrorResponse(int32_t status, const std::string& message) {
  return FromAnswer(protocol::HttpErrorAnswer(status, message));
}

void RespondError(net::Exchange& exchange, const Status& error) { exchange.Respond(ErrorResponse(error)); }

}  // namespace pingti::endpoints
