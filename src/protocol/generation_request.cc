#include "protocol/generation_request.h"

#include <limits>

#include "protocol/errors.h"
#include "protocol/field_reader.h"
#include "protocol/messages.h"

namespace pingti::protocol {

namespace {

constexpr int64_t kTopLogprobsMax = 20;
constexpr int64_t kPriorityMax = 1'000'000;
constexpr size_t kSaltBytesMax = 1024;

Status Missing(const std::string& field) {
  return InvalidArgument("Missing required parameter: '" + field + "'.", field).WithReason("missing_required_parameter");
}

Result<json::object> ParseBody(std::string_view body) {
  if (body.empty()) return InvalidArgument("The request has no body; a JSON object is wanted.");
  auto value = ParseJson(body);
  if (!value.ok()) {
    return InvalidArgument("We could not parse the JSON body of your request: " + value.status().message())
        .WithReason("invalid_json");
  }
  if (!value->is_object()) {
    return InvalidArgument(std::string("The request's body wants a JSON object, found ") + TypeName(*value) + ".");
  }
  return std::move(value->as_object());
}

Result<StreamOptions> ParseStream(const json::object& body) {
  FieldReader reader(body);
  StreamOptions options;
  options.stream = reader.Bool({"stream"}).value_or(false);
  const json::object* nested = reader.MaybeObject({"stream_options"});
  PT_TRY(reader.status());
  if (nested == nullptr) return options;
  if (!options.stream) {
    return InvalidArgument("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
        .WithReason("invalid_value");
  }
  FieldReader inner(*nested, "stream_options.");
  options.include_usage = inner.Bool({"include_usage"}).value_or(false);
  inner.Bool({"include_obfuscation"});
  PT_TRY(inner.status());
  return options;
}

Result<GenerateOptions> ParseOptions(const json::object& body, const RequestLimits& limits) {
  GenerateOptions options;
  PT_ASSIGN(options.sampling, ParseSamplingParams(body));
  PT_ASSIGN(options.choices, ParseChoices(body, limits.choices_max));
  PT_TRY(RefuseUnsupportedConstraints(body));
  FieldReader reader(body);
  options.model = reader.String({"model"}).value_or("");
  options.priority = static_cast<int32_t>(reader.Integer({"priority"}, -kPriorityMax, kPriorityMax).value_or(0));
  options.cache_salt = reader.String({"cache_salt"}).value_or("");
  if (options.cache_salt.size() > kSaltBytesMax) {
    reader.Fail("Invalid 'cache_salt': at most " + std::to_string(kSaltBytesMax) + " bytes.", "cache_salt",
                "string_above_max_length");
  }
  // Accepted for the sake of clients, without effect here; their types are still part of the API.
  reader.String({"user"});
  reader.MaybeObject({"metadata"});
  reader.Bool({"store"});
  PT_TRY(reader.status());
  return options;
}

Result<ChatInput> ParseChatInput(const json::object& body, const RequestLimits& limits) {
  ChatInput input;
  const json::value* messages = body.if_contains("messages");
  if (messages == nullptr || messages->is_null()) return Missing("messages");
  PT_ASSIGN(input.messages, ParseMessages(*messages, limits.messages_max));
  FieldReader reader(body);
  const json::value* tools = reader.MaybeAny({"tools"});
  const json::value* choice = reader.MaybeAny({"tool_choice"});
  if (tools != nullptr) {
    PT_ASSIGN(json::array checked, ParseTools(*tools));
    if (choice == nullptr || *choice != "none") input.tools = std::move(checked);
  }
  input.add_generation_prompt = reader.Bool({"add_generation_prompt"}).value_or(true);
  input.continue_final_message = reader.Bool({"continue_final_message"}).value_or(false);
  if (const json::object* kwargs = reader.MaybeObject({"chat_template_kwargs"})) input.template_kwargs = *kwargs;
  if (input.continue_final_message) {
    if (reader.MaybeAny({"add_generation_prompt"}) != nullptr && input.add_generation_prompt) {
      reader.Fail("'continue_final_message' and 'add_generation_prompt' exclude each other.", "continue_final_message",
                  "invalid_value");
    }
    input.add_generation_prompt = false;
  }
  PT_TRY(reader.status());
  return input;
}

Status RefuseAudio(const json::object& body) {
  FieldReader reader(body);
  if (reader.MaybeAny({"audio"}) != nullptr) {
    return InvalidArgument("'audio' is not supported: this model answers in text.", "audio").WithReason(kUnsupportedValue);
  }
  const json::array* modalities = reader.MaybeArray({"modalities"});
  PT_TRY(reader.status());
  if (modalities == nullptr) return Status::Ok();
  for (const json::value& entry : *modalities) {
    if (entry == "text") continue;
    return InvalidArgument("'modalities' can only be [\"text\"] here.", "modalities").WithReason(kUnsupportedValue);
  }
  return Status::Ok();
}

Result<std::vector<int32_t>> ParseTokenIds(const json::array& array, const std::string& field) {
  std::vector<int32_t> tokens;
  tokens.reserve(array.size());
  for (const json::value& entry : array) {
    const auto token = AsInteger(entry);
    if (!token || *token < 0 || *token > std::numeric_limits<int32_t>::max()) {
      return InvalidArgument("Invalid '" + field + "': expected token ids, but got " + ToJson(entry).substr(0, 60) + ".",
                             field)
          .WithReason("invalid_type");
    }
    tokens.push_back(static_cast<int32_t>(*token));
  }
  return tokens;
}

// A string, an array of strings, an array of token ids, or an array of arrays of token ids.
Result<std::vector<Prompt>> ParsePrompts(const json::value& value) {
  std::vector<Prompt> prompts;
  if (value.is_string()) {
    prompts.emplace_back(std::string(value.get_string()));
    return prompts;
  }
  const json::array* array = value.if_array();
  if (array == nullptr) {
    return InvalidArgument(std::string("Invalid type for 'prompt': expected a string, an array of strings or an array of "
                                       "token ids, but got ") +
                               TypeName(value) + " instead.",
                           "prompt")
        .WithReason("invalid_type");
  }
  if (array->empty()) {
    return InvalidArgument("Invalid 'prompt': empty array.", "prompt").WithReason("empty_array");
  }
  if (array->front().is_number()) {
    PT_ASSIGN(std::vector<int32_t> tokens, ParseTokenIds(*array, "prompt"));
    prompts.emplace_back(std::move(tokens));
    return prompts;
  }
  for (size_t i = 0; i < array->size(); ++i) {
    const json::value& entry = (*array)[i];
    const std::string field = "prompt[" + std::to_string(i) + "]";
    if (entry.is_string() && array->front().is_string()) {
      prompts.emplace_back(std::string(entry.get_string()));
    } else if (entry.is_array() && array->front().is_array()) {
      PT_ASSIGN(std::vector<int32_t> tokens, ParseTokenIds(entry.get_array(), field));
      if (tokens.empty()) return InvalidArgument("Invalid '" + field + "': empty array.", field).WithReason("empty_array");
      prompts.emplace_back(std::move(tokens));
    } else {
      return InvalidArgument("Invalid type for '" + field + "': all prompts are strings, or all are arrays of token ids.",
                             field)
          .WithReason("invalid_type");
    }
  }
  return prompts;
}

}  // namespace

Result<ChatRequest> ParseChatRequest(std::string_view text, const RequestLimits& limits) {
  PT_ASSIGN(const json::object body, ParseBody(text));
  ChatRequest request;
  PT_ASSIGN(request.input, ParseChatInput(body, limits));
  PT_ASSIGN(request.options, ParseOptions(body, limits));
  PT_ASSIGN(request.stream, ParseStream(body));
  PT_TRY(RefuseAudio(body));
  FieldReader reader(body);
  request.logprobs = reader.Bool({"logprobs"}).value_or(false);
  const auto top = reader.Integer({"top_logprobs"}, 0, kTopLogprobsMax);
  request.tokens_as_ids = reader.Bool({"return_tokens_as_token_ids"}).value_or(false);
  request.echo = reader.Bool({"echo"}).value_or(false);
  if (top && !request.logprobs) {
    reader.Fail("'top_logprobs' needs 'logprobs' to be true.", "top_logprobs", "invalid_value");
  }
  PT_TRY(reader.status());
  if (request.logprobs) request.options.sampling.top_logprobs = static_cast<int32_t>(top.value_or(0));
  return request;
}

Result<CompletionRequest> ParseCompletionRequest(std::string_view text, const RequestLimits& limits) {
  PT_ASSIGN(const json::object body, ParseBody(text));
  CompletionRequest request;
  const json::value* prompt = body.if_contains("prompt");
  if (prompt == nullptr || prompt->is_null()) return Missing("prompt");
  PT_ASSIGN(request.prompts, ParsePrompts(*prompt));
  PT_ASSIGN(request.options, ParseOptions(body, limits));
  PT_ASSIGN(request.stream, ParseStream(body));
  FieldReader reader(body);
  const auto logprobs = reader.Integer({"logprobs"}, 0, kTopLogprobsMax);
  request.echo = reader.Bool({"echo"}).value_or(false);
  request.tokens_as_ids = reader.Bool({"return_tokens_as_token_ids"}).value_or(false);
  const auto suffix = reader.String({"suffix"});
  PT_TRY(reader.status());
  if (suffix && !suffix->empty()) {
    return InvalidArgument("'suffix' is not supported.", "suffix").WithReason(kUnsupportedValue);
  }
  if (static_cast<int64_t>(request.prompts.size()) * request.options.choices.best_of > limits.choices_max) {
    return InvalidArgument("Invalid 'prompt': " + std::to_string(request.prompts.size()) + " prompts times " +
                               std::to_string(request.options.choices.best_of) + " answers is more than " +
                               std::to_string(limits.choices_max) + ".",
                           "prompt")
        .WithReason("array_above_max_length");
  }
  if (request.stream.stream && request.options.choices.best_of > request.options.choices.n) {
    return InvalidArgument("'best_of' more than 'n' cannot be streamed.", "best_of").WithReason("invalid_value");
  }
  if (logprobs) {
    request.logprobs = true;
    request.options.sampling.top_logprobs = static_cast<int32_t>(*logprobs);
    if (request.echo) {
      if (request.stream.stream) {
        return InvalidArgument("'echo' with 'logprobs' cannot be streamed.", "echo").WithReason(kUnsupportedValue);
      }
      request.options.sampling.prompt_logprobs = static_cast<int32_t>(*logprobs);
    }
  }
  // The classic endpoint's default; only chat answers go on to the end of the context.
  constexpr int32_t kDefaultMaxTokens = 16;
  if (!request.options.sampling.max_tokens && !request.options.sampling.max_total_tokens) {
    request.options.sampling.max_tokens = kDefaultMaxTokens;
  }
  return request;
}

Result<SummarizeRequest> ParseSummarizeRequest(std::string_view text, const RequestLimits& limits) {
  PT_ASSIGN(const json::object body, ParseBody(text));
  SummarizeRequest request;
  FieldReader reader(body);
  const auto input = reader.String({"input"});
  request.instruction = reader.String({"instruction"}).value_or("");
  request.chunk_tokens = reader.Integer({"chunk_tokens"}, 1, std::numeric_limits<int32_t>::max());
  PT_TRY(reader.status());
  if (!input) return Missing("input");
  if (input->find_first_not_of(" \t\r\n") == std::string::npos) {
    return InvalidArgument("Invalid 'input': it has no text.", "input").WithReason("invalid_value");
  }
  request.input = *input;
  PT_ASSIGN(request.options, ParseOptions(body, limits));
  PT_ASSIGN(request.stream, ParseStream(body));
  if (request.options.choices.n != 1 || request.options.choices.best_of != 1) {
    return InvalidArgument("Invalid 'n': a text has one summary.", "n").WithReason("invalid_value");
  }
  constexpr int32_t kDefaultMaxTokens = 1024;
  auto& max_tokens = request.options.sampling.max_tokens;
  if (!max_tokens) max_tokens = kDefaultMaxTokens;
  return request;
}

Result<TokenizeRequest> ParseTokenizeRequest(std::string_view text, const RequestLimits& limits) {
  PT_ASSIGN(const json::object body, ParseBody(text));
  TokenizeRequest request;
  FieldReader reader(body);
  request.options.model = reader.String({"model"}).value_or("");
  request.options.return_token_texts = reader.Bool({"return_token_strs", "with_pieces"}).value_or(false);
  const auto add_special = reader.Bool({"add_special_tokens", "add_special"});
  const auto prompt = reader.String({"prompt", "content"});
  PT_TRY(reader.status());
  request.chat = body.contains("messages");
  if (request.chat) {
    PT_ASSIGN(request.input, ParseChatInput(body, limits));
    // The template has written the special tokens already.
    request.options.add_special_tokens = add_special.value_or(false);
    return request;
  }
  if (!prompt) return Missing("prompt");
  request.prompt = *prompt;
  request.options.add_special_tokens = add_special.value_or(true);
  return request;
}

Result<DetokenizeRequest> ParseDetokenizeRequest(std::string_view text) {
  PT_ASSIGN(const json::object body, ParseBody(text));
  FieldReader reader(body);
  DetokenizeRequest request;
  request.model = reader.String({"model"}).value_or("");
  const json::array* tokens = reader.MaybeArray({"tokens"});
  PT_TRY(reader.status());
  if (tokens == nullptr) return Missing("tokens");
  PT_ASSIGN(request.tokens, ParseTokenIds(*tokens, "tokens"));
  return request;
}

}  // namespace pingti::protocol
