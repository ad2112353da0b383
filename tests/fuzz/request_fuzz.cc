// layers: protocol
// Bodies of the generating endpoints from arbitrary bytes: no crash, and every refusal has a message.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "protocol/errors.h"
#include "protocol/generation_request.h"

namespace {

void CheckError(const pingti::Status& status) {
  if (status.ok()) return;
  PT_CHECK(!status.message().empty(), "a refusal says why");
  const auto answer = pingti::protocol::ToErrorAnswer(status);
  PT_CHECK(answer.http_status >= 400 && answer.http_status < 500, "a bad request is the client's error");
  PT_CHECK(pingti::ParseJson(answer.body).ok(), "an error's body is JSON");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const pingti::protocol::RequestLimits limits;
  const auto chat = pingti::protocol::ParseChatRequest(body, limits);
  if (chat.ok()) PT_CHECK(!chat->input.messages.empty(), "a conversation has a message");
  CheckError(chat.status());
  const auto completion = pingti::protocol::ParseCompletionRequest(body, limits);
  if (completion.ok()) PT_CHECK(!completion->prompts.empty(), "a completion has a prompt");
  CheckError(completion.status());
  CheckError(pingti::protocol::ParseSummarizeRequest(body, limits).status());
  CheckError(pingti::protocol::ParseTokenizeRequest(body, limits).status());
  CheckError(pingti::protocol::ParseDetokenizeRequest(body).status());
  return 0;
}
