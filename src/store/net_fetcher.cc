#include "store/net_fetcher.h"

#include "net/http_client.h"

namespace pingti::store {

Status NetFetcher::Get(const std::string& url, const FetchHeaders& headers, const OnHead& on_head,
                       const OnBody& on_body) {
  Status refused;  // what on_head or on_body said: it wins over the client's "cancelled"
  net::FetchOptions options;
  options.url = url;
  options.redirects_max = 0;  // GetFollowing's business
  options.maybe_cancel = maybe_cancel_;
  for (const auto& [name, value] : headers) options.headers.Add(name, value);
  options.on_head = [&](const net::Response& head) {
    FetchHead seen{head.status, {}};
    for (const net::Header& header : head.headers.list())
      seen.headers.emplace_back(header.name, header.value);
    refused = on_head(seen);
    return refused.ok();
  };
  options.on_body = [&](std::string_view piece) {
    refused = on_body(std::as_bytes(std::span(piece)));
    return refused.ok();
  };
  const Result<net::Response> answer = net::Fetch(options);
  if (!refused.ok()) return refused;
  if (answer.ok()) return Status::Ok();
  const Status& error = answer.status();
  // A slow network is tried again like a broken one.
  return error.code() == StatusCode::kDeadlineExceeded ? Unavailable(error.message()) : error;
}

}  // namespace pingti::store
