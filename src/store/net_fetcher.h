// NetFetcher: the Fetcher of the real network (net/http_client.h: HTTPS checked, HTTPS_PROXY and
// NO_PROXY respected).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "store/fetcher.h"

namespace pingti::store {

class NetFetcher final : public Fetcher {
 public:
  // `maybe_cancel` ends a request within a fraction of a second; it outlives this.
  explicit NetFetcher(const std::atomic<bool>* maybe_cancel = nullptr)
      : maybe_cancel_(maybe_cancel) {}

  Status Get(const std::string& url, const FetchHeaders& headers, const OnHead& on_head,
             const OnBody& on_body) override;

 private:
  const std::atomic<bool>* maybe_cancel_;
};

}  // namespace pingti::store
