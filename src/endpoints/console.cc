// GET / and the console's other files, from the binary itself.
#include "endpoints/console_files.h"
#include "endpoints/route.h"

namespace pingti::endpoints {

namespace {

void HandleFile(Call call) {
  const std::string& path = call.request().path;
  for (const EmbeddedFile& file : ConsoleFiles()) {
    if (file.path != path && !(path == "/" && file.path == "/index.html")) continue;
    net::Headers headers{{"ETag", std::string(file.etag)}, {"Cache-Control", "no-cache"}};
    // The page talks to this server only.
    headers.Add("Content-Security-Policy",
                "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'");
    if (call.request().headers.Get("If-None-Match") == file.etag) {
      return call.exchange->Respond({.status = 304, .headers = std::move(headers), .body = {}});
    }
    headers.Add("Content-Type", std::string(file.content_type));
    return call.exchange->Respond({.status = 200, .headers = std::move(headers), .body = std::string(file.bytes)});
  }
  call.exchange->Respond(HttpErrorResponse(404, "Unknown request URL: GET " + path + "."));
}

// The list is made of constants, so that it can be read before main.
std::vector<Route*> MakeRoutes() {
  std::vector<Route*> routes;
  for (const EmbeddedFile& file : ConsoleFiles()) {
    const std::string_view path = file.path == "/index.html" ? "/" : file.path;
    routes.push_back(new Route("GET", path, HandleFile, {.access = Access::kOpen}));
  }
  return routes;
}

// Never freed: the list of routes refers to them.
const std::vector<Route*> kConsoleRoutes = MakeRoutes();

}  // namespace

}  // namespace pingti::endpoints
