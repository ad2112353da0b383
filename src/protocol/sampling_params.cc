#include "protocol/sampling_params.h"

#include <charconv>
#include <limits>

#include "protocol/errors.h"
#include "protocol/field_reader.h"

namespace pingti::protocol {

namespace {

constexpr int64_t kTokensMax = std::numeric_limits<int32_t>::max();
constexpr size_t kStopsMax = 64;
constexpr size_t kStopBytesMax = 4096;
constexpr size_t kStopTokensMax = 1024;
constexpr size_t kLogitBiasMax = 4096;
constexpr double kLogitBiasLimit = 100;
constexpr int64_t kTopLogprobsMax = 20;

using Names = FieldReader::Names;

std::optional<float> Float(FieldReader& reader, Names names, const NumberRange& range) {
  const auto value = reader.Number(names, range);
  if (!value) return std::nullopt;
  return static_cast<float>(*value);
}

std::optional<int32_t> Int32(FieldReader& reader, Names names, int64_t min, int64_t max = kTokensMax) {
  const auto value = reader.Integer(names, min, max);
  if (!value) return std::nullopt;
  return static_cast<int32_t>(*value);
}

// A string or an array of strings.
std::optional<std::vector<std::string>> Strings(FieldReader& reader, std::string_view name) {
  const json::value* value = reader.MaybeAny({name});
  if (value == nullptr) return std::nullopt;
  std::vector<std::string> texts;
  if (value->is_string()) {
    texts.emplace_back(value->get_string());
  } else if (value->is_array()) {
    for (const json::value& entry : value->get_array()) {
      if (!entry.is_string()) {
        reader.FailType(name, "a string or an array of strings", entry);
        return std::nullopt;
      }
      texts.emplace_back(entry.get_string());
    }
  } else {
    reader.FailType(name, "a string or an array of strings", *value);
    return std::nullopt;
  }
  if (texts.size() > kStopsMax) {
    reader.Fail("Invalid '" + std::string(name) + "': at most " + std::to_string(kStopsMax) + " texts, found " +
                    std::to_string(texts.size()) + ".",
                name, "array_above_max_length");
  }
  for (const std::string& text : texts) {
    if (text.size() <= kStopBytesMax) continue;
    reader.Fail("Invalid '" + std::string(name) + "': a text may have " + std::to_string(kStopBytesMax) +
                    " bytes, found " + std::to_string(text.size()) + ".",
                name, "string_above_max_length");
  }
  return texts;
}

void ReadStopTokens(FieldReader& reader, std::vector<int32_t>& tokens) {
  const json::array* array = reader.MaybeArray({"stop_token_ids"});
  if (array == nullptr) return;
  if (array->size() > kStopTokensMax) {
    return reader.Fail("Invalid 'stop_token_ids': at most " + std::to_string(kStopTokensMax) + " ids, found " +
                           std::to_string(array->size()) + ".",
                       "stop_token_ids", "array_above_max_length");
  }
  for (const json::value& entry : *array) {
    const auto token = AsInteger(entry);
    if (!token) return reader.FailType("stop_token_ids", "an array of token ids", entry);
    if (*token < 0 || *token > kTokensMax) {
      return reader.Fail("Invalid 'stop_token_ids': " + std::to_string(*token) + " is no token id.", "stop_token_ids",
                         "invalid_value");
    }
    tokens.push_back(static_cast<int32_t>(*token));
  }
}

void ReadLogitBias(FieldReader& reader, std::vector<std::pair<int32_t, float>>& out) {
  const json::object* object = reader.MaybeObject({"logit_bias"});
  if (object == nullptr) return;
  if (object->size() > kLogitBiasMax) {
    return reader.Fail("Invalid 'logit_bias': at most " + std::to_string(kLogitBiasMax) + " tokens, found " +
                           std::to_string(object->size()) + ".",
                       "logit_bias", "object_above_max_size");
  }
  for (const auto& entry : *object) {
    int32_t token = -1;
    const std::string_view key = entry.key();
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (error != std::errc() || end != key.data() + key.size() || token < 0) {
      return reader.Fail("Invalid key in 'logit_bias': '" + std::string(key.substr(0, 40)) + "' is no token id.",
                         "logit_bias", "invalid_value");
    }
    if (!entry.value().is_number()) return reader.FailType("logit_bias", "numbers", entry.value());
    const double bias = entry.value().to_number<double>();
    if (!(bias >= -kLogitBiasLimit && bias <= kLogitBiasLimit)) {
      return reader.Fail("Invalid 'logit_bias': values lie between -100 and 100, found " + ToJson(entry.value()) + ".",
                         "logit_bias", "invalid_value");
    }
    out.emplace_back(token, static_cast<float>(bias));
  }
}

void ReadTruncation(FieldReader& reader, SamplingParams& params) {
  params.temperature = Float(reader, {"temperature"}, {0, 2});
  params.top_k = Int32(reader, {"top_k"}, -1);
  params.top_p = Float(reader, {"top_p"}, {0, 1});
  params.min_p = Float(reader, {"min_p"}, {0, 1});
  params.typical_p = Float(reader, {"typical_p", "typ_p"}, {0, 1, true});
  params.top_n_sigma = Float(reader, {"top_n_sigma"}, {-1, 100});
  params.xtc_probability = Float(reader, {"xtc_probability"}, {0, 1});
  params.xtc_threshold = Float(reader, {"xtc_threshold"}, {0, 1});
  params.mirostat = Int32(reader, {"mirostat", "mirostat_mode"}, 0, 2);
  if (params.mirostat == 1) {
    reader.Fail("Invalid 'mirostat': 0 (off) and 2 are known, found 1.", "mirostat", "invalid_value");
  }
  params.mirostat_tau = Float(reader, {"mirostat_tau"}, {0, 100});
  params.mirostat_eta = Float(reader, {"mirostat_eta"}, {0, 1});
}

void ReadPenalties(FieldReader& reader, SamplingParams& params) {
  params.repetition_penalty = Float(reader, {"repetition_penalty", "repeat_penalty"}, {0, 10, true});
  params.presence_penalty = Float(reader, {"presence_penalty"}, {-2, 2});
  params.frequency_penalty = Float(reader, {"frequency_penalty"}, {-2, 2});
  params.dry_multiplier = Float(reader, {"dry_multiplier"}, {0, 100});
  params.dry_base = Float(reader, {"dry_base"}, {1, 100});
  params.dry_allowed_length = Int32(reader, {"dry_allowed_length"}, 1);
  params.dry_penalty_last_n = Int32(reader, {"dry_penalty_last_n"}, -1);
  params.dry_sequence_breakers = Strings(reader, "dry_sequence_breakers");
  ReadLogitBias(reader, params.logit_bias);
}

void ReadEnds(FieldReader& reader, SamplingParams& params) {
  if (auto stop = Strings(reader, "stop")) params.stop = std::move(*stop);
  // An empty text would end every answer at once.
  std::erase(params.stop, "");
  ReadStopTokens(reader, params.stop_token_ids);
  params.include_stop_text = reader.Bool({"include_stop_str_in_output"}).value_or(false);
  params.ignore_eos = reader.Bool({"ignore_eos"}).value_or(false);
  params.skip_special_tokens = reader.Bool({"skip_special_tokens"}).value_or(true);
  params.min_tokens = Int32(reader, {"min_tokens", "min_new_tokens"}, 0);
  params.max_tokens = Int32(reader, {"max_completion_tokens", "max_tokens", "max_new_tokens", "n_predict"}, 1);
  params.max_total_tokens = Int32(reader, {"max_total_tokens", "max_length"}, 1);
  if (params.min_tokens && params.max_tokens && *params.min_tokens > *params.max_tokens) {
    reader.Fail("Invalid 'min_tokens': " + std::to_string(*params.min_tokens) + " is more than 'max_tokens', " +
                    std::to_string(*params.max_tokens) + ".",
                "min_tokens", "invalid_value");
  }
}

// Any 64 bits, signed or not: the seed that an answer names can be sent back.
std::optional<uint64_t> ReadSeed(FieldReader& reader) {
  const json::value* value = reader.MaybeAny({"seed"});
  if (value == nullptr) return std::nullopt;
  if (value->is_uint64()) return value->get_uint64();
  const auto seed = AsInteger(*value);
  if (!seed) reader.FailType("seed", "an integer", *value);
  return seed ? std::optional<uint64_t>(static_cast<uint64_t>(*seed)) : std::nullopt;
}

Status Unsupported(std::string message, std::string field) {
  return InvalidArgument(std::move(message), std::move(field)).WithReason(kUnsupportedValue);
}

Status CheckResponseFormat(const json::value& format) {
  const json::object* object = format.if_object();
  if (object == nullptr) {
    return InvalidArgument(std::string("Invalid type for 'response_format': expected an object, but got ") +
                               TypeName(format) + " instead.",
                           "response_format")
        .WithReason("invalid_type");
  }
  const json::value* type = object->if_contains("type");
  if (type == nullptr || !type->is_string()) {
    return InvalidArgument("Missing required parameter: 'response_format.type'.", "response_format.type")
        .WithReason("missing_required_parameter");
  }
  if (type->get_string() == "text") return Status::Ok();
  return Unsupported("'response_format' of type '" + std::string(type->get_string()).substr(0, 40) +
                         "' is not supported yet; only 'text' is.",
                     "response_format");
}

}  // namespace

Result<SamplingParams> ParseSamplingParams(const json::object& body) {
  FieldReader reader(body);
  SamplingParams params;
  ReadTruncation(reader, params);
  ReadPenalties(reader, params);
  ReadEnds(reader, params);
  params.seed = ReadSeed(reader);
  if (const auto count = reader.Integer({"prompt_logprobs"}, 0, kTopLogprobsMax)) {
    params.prompt_logprobs = static_cast<int32_t>(*count);
  }
  PT_TRY(reader.status());
  return params;
}

Result<Choices> ParseChoices(const json::object& body, int32_t choices_max) {
  FieldReader reader(body);
  Choices choices;
  choices.n = static_cast<int32_t>(reader.Integer({"n"}, 1, choices_max).value_or(1));
  const auto best_of = reader.Integer({"best_of"}, 0, choices_max);
  PT_TRY(reader.status());
  choices.best_of = best_of && *best_of > 0 ? static_cast<int32_t>(*best_of) : choices.n;
  if (choices.best_of < choices.n) {
    return InvalidArgument("Invalid 'best_of': " + std::to_string(choices.best_of) + " is less than 'n', " +
                               std::to_string(choices.n) + ".",
                           "best_of")
        .WithReason("invalid_value");
  }
  return choices;
}

Status RefuseUnsupportedConstraints(const json::object& body) {
  FieldReader reader(body);
  if (const json::value* format = reader.MaybeAny({"response_format"})) PT_TRY(CheckResponseFormat(*format));
  for (const std::string_view name : {"guided_json", "guided_regex", "guided_choice", "guided_grammar",
                                      "structured_outputs", "grammar", "json_schema", "functions"}) {
    if (reader.MaybeAny({name}) != nullptr) {
      return Unsupported("'" + std::string(name) + "' is not supported yet.", std::string(name));
    }
  }
  const json::value* choice = reader.MaybeAny({"tool_choice"});
  if (choice == nullptr) return Status::Ok();
  if (choice->is_object() || *choice == "required") {
    return Unsupported("'tool_choice' can be 'none' or 'auto'; forcing a tool is not supported yet.", "tool_choice");
  }
  if (*choice != "none" && *choice != "auto") {
    return InvalidArgument("Invalid 'tool_choice': expected 'none' or 'auto', but got " + ToJson(*choice).substr(0, 60) +
                               " instead.",
                           "tool_choice")
        .WithReason("invalid_value");
  }
  return Status::Ok();
}

}  // namespace pingti::protocol
