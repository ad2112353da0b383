// POST /tokenize and POST /detokenize, in vLLM's shapes
#include "endpoints/route.h"

namespace pingti::endpoints {

namespace {

void HandleTokenize(Call call) {
  Context& context = *call.context;
  auto request = protocol::ParseTokenizeRequest(call.request().body, context.limits);
  if (!request.ok()) return RespondError(*call.exchange, request.status());
  auto answer = request->chat ? context.backend.TokenizeChat(request->input, request->options)
                              : context.backend.Tokenize(request->prompt, request->options);
  if (!answer.ok()) return RespondError(*call.exchange, answer.status());
  json::object body;
  body["count"] = answer->tokens.size();
  body["max_model_len"] = answer->context_length;
  body["tokens"] = json::array(answer->tokens.begin(), answer->tokens.end());
  body["token_strs"] = nullptr;
  if (request->options.return_token_texts) {
    body["token_strs"] = json::array(answer->token_texts.begin(), answer->token_texts.end());
  }
  RespondJson(call, body);
}

void HandleDetokenize(Call call) {
  auto request = protocol::ParseDetokenizeRequest(call.request().body);
  if (!request.ok()) return RespondError(*call.exchange, request.status());
  auto text = call.context->backend.Detokenize(request->tokens, request->model);
  if (!text.ok()) return RespondError(*call.exchange, text.status());
  RespondJson(call, json::object{{"prompt", std::move(text).value()}});
}

PINGTI_REGISTER_ROUTE("POST", "/tokenize", HandleTokenize, .weight = Weight::kHeavy, .scope = "tokenize");
PINGTI_REGISTER_ROUTE("POST", "/detokenize", HandleDetokenize, .weight = Weight::kHeavy, .scope = "tokenize");

}  // namespace

}  // namespace pingti::endpoints
