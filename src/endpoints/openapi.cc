// GET /openapi.json: what this server understands, for clients and people; GET /docs: a page over it.
#include "endpoints/docs_page.h"
#include "endpoints/route.h"

namespace pingti::endpoints {

namespace {

json::object Type(const char* type, const char* description) {
  return {{"type", type}, {"description", description}};
}

json::object Ref(const char* name) { return {{"$ref", std::string("#/components/schemas/") + name}}; }

json::object Content(json::value schema) {
  return {{"application/json", json::object{{"schema", std::move(schema)}}}};
}

struct Field {
  const char* name;
  const char* type;
  const char* description;
};

// Understood by both endpoints.
constexpr Field kSampling[] = {
    {"model", "string", "A name from /v1/models; the served model where absent."},
    {"max_tokens", "integer", "Most tokens of the answer. Aliases: max_completion_tokens, max_new_tokens."},
    {"max_total_tokens", "integer", "Most tokens of prompt and answer together."},
    {"min_tokens", "integer", "No end before this many tokens."},
    {"temperature", "number", "0 to 2; 0 is greedy. The model's own default where absent."},
    {"top_p", "number", "0 to 1."},
    {"top_k", "integer", "0 or -1: off."},
    {"min_p", "number", "0 to 1."},
    {"typical_p", "number", "Above 0, at most 1."},
    {"top_n_sigma", "number", "0 or less: off."},
    {"repetition_penalty", "number", "Above 0; 1: off."},
    {"presence_penalty", "number", "-2 to 2."},
    {"frequency_penalty", "number", "-2 to 2."},
    {"dry_multiplier", "number", "0: off."},
    {"dry_base", "number", ""},
    {"dry_allowed_length", "integer", ""},
    {"dry_penalty_last_n", "integer", "-1: the whole context."},
    {"dry_sequence_breakers", "array", "Texts."},
    {"xtc_probability", "number", "0: off."},
    {"xtc_threshold", "number", ""},
    {"mirostat", "integer", "0 (off) or 2."},
    {"mirostat_tau", "number", ""},
    {"mirostat_eta", "number", ""},
    {"logit_bias", "object", "Token id to a number from -100 to 100."},
    {"seed", "integer", "The same seed and request give the same answer; the answer names the seed used."},
    {"stop", "array", "A text or texts that end the answer."},
    {"stop_token_ids", "array", "Token ids that end the answer."},
    {"include_stop_str_in_output", "boolean", ""},
    {"ignore_eos", "boolean", ""},
    {"skip_special_tokens", "boolean", ""},
    {"prompt_logprobs", "integer", "0 to 20: log-probabilities of the prompt's tokens."},
    {"n", "integer", "Answers to return."},
    {"best_of", "integer", "Answers to make; the best n are returned."},
    {"priority", "integer", "Lower is earlier."},
    {"cache_salt", "string", "Prompts of different salts share no cache."},
    {"stream", "boolean", "Server-sent events, ended by data: [DONE]."},
    {"stream_options", "object", "include_usage: a last event with the usage."},
};

constexpr Field kChat[] = {
    {"messages", "array", "role and content of each message."},
    {"tools", "array", "Functions, shown to the model by its template."},
    {"tool_choice", "string", "none or auto."},
    {"logprobs", "boolean", ""},
    {"top_logprobs", "integer", "0 to 20."},
    {"add_generation_prompt", "boolean", ""},
    {"continue_final_message", "boolean", "The model goes on with the last message."},
    {"chat_template_kwargs", "object", "Further variables of the template."},
};

constexpr Field kCompletion[] = {
    {"prompt", "string", "A text, texts, token ids, or arrays of token ids."},
    {"logprobs", "integer", "0 to 20."},
    {"echo", "boolean", "The prompt before the answer."},
};

constexpr Field kSummarize[] = {
    {"input", "string", "The text, of any length within the limit of a body."},
    {"instruction", "string", "What the summary should be; ours where absent."},
    {"chunk_tokens", "integer", "Tokens of the text that are summarised in one piece; 2048 where the context has room."},
};

template <size_t N, size_t M>
json::object RequestSchema(const Field (&own)[N], const Field (&common)[M], const char* required) {
  json::object properties;
  const auto add = [&](const Field& field) {
    json::object schema = Type(field.type, field.description);
    const std::string_view name = field.name;
    if (name == "prompt" || name == "stop") schema.erase("type");
    if (schema.if_contains("type") != nullptr && schema["type"] == "array") schema["items"] = json::object();
    properties[field.name] = std::move(schema);
  };
  for (const Field& field : own) add(field);
  for (const Field& field : common) add(field);
  return {{"type", "object"}, {"required", json::array{required}}, {"properties", std::move(properties)}};
}

json::object ErrorSchema() {
  json::object error{{"type", "object"},
                     {"properties", json::object{{"message", Type("string", "What was wrong, wanted and found.")},
                                                 {"type", Type("string", "")},
                                                 {"param", Type("string", "The field that is wrong, or null.")},
                                                 {"code", Type("string", "A stable name, or null.")}}}};
  return {{"type", "object"}, {"properties", json::object{{"error", std::move(error)}}}};
}

struct Operation {
  const char* method;
  const char* path;
  const char* summary;
  const char* request;  // schema of the body, or nullptr
};

constexpr Operation kOperations[] = {
    {"post", "/v1/chat/completions", "Answer a conversation", "ChatCompletionRequest"},
    {"post", "/v1/completions", "Continue a text", "CompletionRequest"},
    {"post", "/v1/summarize", "Summarise a text of any length, piece by piece", "SummarizeRequest"},
    {"get", "/v1/models", "The models served here", nullptr},
    {"get", "/v1/models/{model}", "One model", nullptr},
    {"post", "/tokenize", "Text or messages to token ids", "TokenizeRequest"},
    {"post", "/detokenize", "Token ids to text", "DetokenizeRequest"},
    {"get", "/health", "Is the process alive?", nullptr},
    {"get", "/ready", "Can it answer now? (probes the engine's loop)", nullptr},
    {"get", "/metrics", "Prometheus metrics", nullptr},
    {"get", "/version", "The version", nullptr},
    {"get", "/pingti/status", "Model, engine and kernels, for the console", nullptr},
    {"get", "/pingti/usage", "API keys: limits, and what each has used", nullptr},
    {"get", "/openapi.json", "This document", nullptr},
    {"get", "/docs", "This document as a page", nullptr},
};

json::object PathsObject() {
  json::object paths;
  for (const Operation& operation : kOperations) {
    json::object entry{{"summary", operation.summary}, {"operationId", std::string(operation.method) + operation.path}};
    if (std::string_view(operation.path).ends_with("{model}")) {
      entry["parameters"] = json::array{json::object{
          {"name", "model"}, {"in", "path"}, {"required", true}, {"schema", json::object{{"type", "string"}}}}};
    }
    if (operation.request != nullptr) {
      entry["requestBody"] = json::object{{"required", true}, {"content", Content(Ref(operation.request))}};
    }
    entry["responses"] =
        json::object{{"200", json::object{{"description", "Done."}}},
                     {"default", json::object{{"description", "An error."}, {"content", Content(Ref("Error"))}}}};
    if (paths.if_contains(operation.path) == nullptr) paths[operation.path] = json::object();
    paths[operation.path].as_object()[operation.method] = std::move(entry);
  }
  return paths;
}

json::object Document(const std::string& version) {
  json::object schemas;
  schemas["ChatCompletionRequest"] = RequestSchema(kChat, kSampling, "messages");
  schemas["CompletionRequest"] = RequestSchema(kCompletion, kSampling, "prompt");
  schemas["SummarizeRequest"] = RequestSchema(kSummarize, kSampling, "input");
  schemas["TokenizeRequest"] = json::object{
      {"type", "object"},
      {"properties", json::object{{"prompt", Type("string", "The text ...")},
                                  {"messages", json::object{{"type", "array"}, {"items", json::object()}}},
                                  {"add_special_tokens", Type("boolean", "")},
                                  {"return_token_strs", Type("boolean", "")}}}};
  schemas["DetokenizeRequest"] = json::object{
      {"type", "object"},
      {"required", json::array{"tokens"}},
      {"properties",
       json::object{{"tokens", json::object{{"type", "array"}, {"items", json::object{{"type", "integer"}}}}}}}};
  schemas["Error"] = ErrorSchema();
  json::object bearer{{"type", "http"}, {"scheme", "bearer"}};
  return {{"openapi", "3.1.0"},
          {"info", json::object{{"title", "pingti"},
                                {"version", version},
                                {"description", "Open models on your own CPUs, behind OpenAI's API."}}},
          {"security", json::array{json::object{{"bearer", json::array()}}, json::object()}},
          {"paths", PathsObject()},
          {"components", json::object{{"schemas", std::move(schemas)},
                                      {"securitySchemes", json::object{{"bearer", std::move(bearer)}}}}}};
}

void HandleDocument(Call call) { RespondJson(call, Document(call.context->version)); }

void HandleDocs(Call call) {
  call.exchange->Respond({.status = 200,
                          .headers = {{"Content-Type", "text/html; charset=utf-8"},
                                      {"Content-Security-Policy",
                                       "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"}},
                          .body = std::string(kDocsPage)});
}

PINGTI_REGISTER_ROUTE("GET", "/openapi.json", HandleDocument, .access = Access::kOpen);
PINGTI_REGISTER_ROUTE("GET", "/docs", HandleDocs, .access = Access::kOpen);

}  // namespace

}  // namespace pingti::endpoints
