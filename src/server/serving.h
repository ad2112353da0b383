// A server over a model that is already in memory: for tests with a model that is made, not loaded.
#pragma once

#include <memory>

#include "runtime/bundle.h"
#include "server/server.h"

namespace pingti::server {

// `options.model` is not looked at; the bundle's file may be null.
Result<std::unique_ptr<Server>> StartWithBundle(const ServerOptions& options, runtime::Bundle bundle);

}  // namespace pingti::server
