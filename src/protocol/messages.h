// Chat messages and tools of a request, checked and brought into the form that chat templates read. Pure functions.
#pragma once

#include "base/json.h"
#include "base/result.h"

namespace pingti::protocol {

// Roles are known; contents become strings (text parts are joined by a line break) or null; "developer" becomes
// "system", which is the role that templates know; tool calls' arguments become objects where they are JSON. Image, audio
// and file parts are an error that names the part.
Result<json::array> ParseMessages(const json::value& messages, size_t messages_max);

// [{"type": "function", "function": {"name", "description", "parameters"}}]
Result<json::array> ParseTools(const json::value& tools);

}  // namespace pingti::protocol
