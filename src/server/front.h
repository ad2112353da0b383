// Front: what happens to every HTTP request before and after its endpoint: cross-origin rules, drain, route, API key,
// the thread that it runs on, metrics and the access log. Thread-safe.
#pragma once

#include <atomic>
#include <memory>

#include "endpoints/route.h"
#include "observe/access_log.h"
#include "server/api_keys.h"
#include "server/options.h"
#include "server/request_pool.h"

namespace pingti::server {

class Front final {
 public:
  // All arguments outlive the Front; `maybe_log` may be null.
  Front(const ServerOptions& options, ApiKeys& keys, endpoints::Context& context, RequestPool& pool,
        observe::AccessLog* maybe_log);

  // The HttpServer's handler.
  void Handle(std::shared_ptr<net::Exchange> exchange);
  void SetDraining() { draining_ = true; }

 private:
  // Adds the headers that every answer carries; true: this was a preflight and is answered.
  bool ApplyCors(net::Exchange& exchange) const;
  void Watch(const endpoints::Call& call, std::string_view handler);
  std::shared_ptr<observe::AccessRecord> NewRecord(const net::Exchange& exchange) const;
  // False: the caller may not, and has heard so.
  bool Admit(endpoints::Call& call, const endpoints::RouteOptions& route);
  void RunHeavy(endpoints::Call call, endpoints::Handler handler);

  const ServerOptions& options_;
  ApiKeys& keys_;
  endpoints::Context& context_;
  RequestPool& pool_;
  observe::AccessLog* log_;
  std::atomic<bool> draining_{false};
};

}  // namespace pingti::server
