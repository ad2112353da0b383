#include "runtime/bundle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "models/generation_defaults.h"
#include "text/kind_defaults.h"
#include "text/token_flags.h"

namespace pingti::runtime {
namespace {

using formats::ModelFile;

constexpr size_t kConfigBytesMax = 1 << 20;
constexpr int64_t kSpareRowsMax = 1024;  // of an embedding: no padding is larger, another model's vocabulary may well be
constexpr int64_t kTokenTypeMax = static_cast<int64_t>(text::TokenType::kByte);

// Converters write -1 or 2^32 - 1 for "none".
Result<int32_t> TokenId(const ModelFile& file, std::string_view key, size_t tokens) {
  PT_ASSIGN(const std::optional<int64_t> id, file.Int(key));
  if (!id || *id == -1 || *id == std::numeric_limits<uint32_t>::max()) return -1;
  if (*id < 0 || *id >= static_cast<int64_t>(tokens)) {
    return DataLoss(fmt::format("{} is {}, wanted an id below {}", key, *id, tokens),
                    std::string(key));
  }
  return static_cast<int32_t>(*id);
}

Status ReadIds(const ModelFile& file, text::TokenizerSpec& spec) {
  const bool wordpiece = spec.model == "bert"; // its texts stand between two tokens of other names
  const std::array<std::pair<std::string_view, int32_t*>, 5> ids = {{
      {wordpiece ? "tokenizer.ggml.cls_token_id" : "tokenizer.ggml.bos_token_id", &spec.bos},
      {wordpiece ? "tokenizer.ggml.seperator_token_id" : "tokenizer.ggml.eos_token_id", &spec.eos},
      {"tokenizer.ggml.eot_token_id", &spec.eot},
      {"tokenizer.ggml.unknown_token_id", &spec.unknown},
      {"tokenizer.ggml.padding_token_id", &spec.padding},
  }};
  for (const auto& [key, id] : ids) {
    PT_ASSIGN(*id, TokenId(file, key, spec.tokens.size()));
  }
  return Status::Ok();
}

Result<std::vector<text::TokenType>> ReadTypes(const ModelFile& file) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  PT_ASSIGN(const auto numbers, file.Ints(kKey));
  std::vector<text::TokenType> types;
  if (!numbers) return types;
  types.reserve(numbers->size());
  for (const int64_t number : *numbers) {
    if (number < 1 || number > kTokenTypeMax) {
      return DataLoss(fmt::format("{} of token {} is {}, wanted 1 to {}", kKey, types.size(),
                                  number, kTokenTypeMax),
                      std::string(kKey));
    }
    types.push_back(static_cast<text::TokenType>(number));
  }
  return types;
}

Status ReadFlags(const ModelFile& file, text::TokenizerSpec& spec) {
  PT_ASSIGN(const auto add_bos, file.Bool("tokenizer.ggml.add_bos_token"));
  PT_ASSIGN(const auto add_eos, file.Bool("tokenizer.ggml.add_eos_token"));
  PT_ASSIGN(const auto space, file.Bool("tokenizer.ggml.add_space_prefix"));
  PT_ASSIGN(const auto squeeze, file.Bool("tokenizer.ggml.remove_extra_whitespaces"));
  PT_ASSIGN(const auto charsmap, file.Ints("tokenizer.ggml.precompiled_charsmap"));
  if (charsmap) {
    for (const int64_t byte : *charsmap) spec.charsmap += static_cast<char>(byte);
  }
  spec.remove_extra_spaces = squeeze.value_or(false);
  const text::KindDefaults defaults = text::DefaultsOfKind(spec.model);
  spec.add_bos = add_bos.value_or(defaults.add_bos);
  spec.add_eos = add_eos.value_or(defaults.add_eos);
  spec.add_space_prefix = space.value_or(true);
  return Status::Ok();
}

// The text of a token that may be none.
std::string TokenText(const text::TokenizerSpec& spec, int32_t id) {
  return id < 0 ? std::string() : spec.tokens[static_cast<size_t>(id)];
}

// An embedding may have more rows than there are tokens (padding for the hardware it was trained
// on), never fewer.
Status CheckVocabulary(const ModelFile& file, const text::Tokenizer& tokenizer) {
  const TensorView* embedding = file.FindTensor("token_embd.weight");
  if (embedding == nullptr) return Status::Ok();
  const int64_t spare = embedding->rows() - tokenizer.vocab_size();
  if (spare >= 0 && spare <= kSpareRowsMax) return Status::Ok();
  return DataLoss(
      fmt::format(
          "{}: its vocabulary has {} tokens, but its embedding (token_embd.weight) {} rows: "
          "tokenizer and weights are not of the same model",
          file.path().string(), tokenizer.vocab_size(), embedding->rows()),
      "tokenizer.ggml.tokens");
}

Status ReadSamplingKeys(const ModelFile& file, SamplingParams& params) {
  const std::array<std::pair<std::string_view, float*>, 4> floats = {{
      {"general.sampling.temp", &params.temperature},
      {"general.sampling.top_p", &params.top_p},
      {"general.sampling.min_p", &params.min_p},
      {"general.sampling.penalty_repeat", &params.repetition_penalty},
  }};
  for (const auto& [key, target] : floats) {
    PT_ASSIGN(const std::optional<double> value, file.Float(key));
    if (value) *target = static_cast<float>(*value);
  }
  PT_ASSIGN(const std::optional<int64_t> top_k, file.Int("general.sampling.top_k"));
  if (top_k)
    params.top_k =
        static_cast<int32_t>(std::min<int64_t>(*top_k, std::numeric_limits<int32_t>::max()));
  return Status::Ok();
}

// The values of a generation_config.json that we know; its other keys are not about sampling.
Status ApplyGenerationConfig(const json::object& config, SamplingParams& params) {
  const std::array<std::pair<std::string_view, float*>, 5> floats = {{
      {"temperature", &params.temperature},
      {"top_p", &params.top_p},
      {"min_p", &params.min_p},
      {"typical_p", &params.typical_p},
      {"repetition_penalty", &params.repetition_penalty},
  }};
  for (const auto& [key, target] : floats) {
    const json::value* value = config.if_contains(key);
    if (value == nullptr || value->is_null()) continue;
    if (!value->is_number())
      return InvalidArgument(fmt::format("{}: wanted a number", key), std::string(key));
    *target = value->to_number<float>();
  }
  if (const json::value* top_k = config.if_contains("top_k");
      top_k != nullptr && !top_k->is_null()) {
    if (!top_k->is_int64()) return InvalidArgument("top_k: wanted an integer", "top_k");
    params.top_k = static_cast<int32_t>(
        std::min<int64_t>(top_k->get_int64(), std::numeric_limits<int32_t>::max()));
  }
  const json::value* sample = config.if_contains("do_sample");
  if (sample != nullptr && sample->is_bool() && !sample->get_bool()) params.temperature = 0;
  return Status::Ok();
}

Status ReadGenerationConfig(const std::filesystem::path& path, SamplingParams& params) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return Status::Ok();
  PT_ASSIGN(const std::string text, ReadFile(path, kConfigBytesMax));
  const Result<json::value> value = ParseJson(text);
  if (!value.ok()) return value.status().WithContext(path.string());
  if (!value->is_object()) return InvalidArgument(path.string() + ": wanted a JSON object");
  const Status status = ApplyGenerationConfig(value->get_object(), params);
  return status.ok() ? status : status.WithContext(path.string());
}

// In rising order of authority: what is known of the model, the file's metadata,
// generation_config.json beside it.
Result<SamplingParams> ReadDefaults(const ModelFile& file, const text::Tokenizer& tokenizer) {
  SamplingParams params;
  for (const std::string_view key : {"general.name", "general.basename"}) {
    PT_ASSIGN(const std::optional<std::string> name, file.String(key));
    const models::GenerationDefaults* known =
        name ? models::FindGenerationDefaults(*name) : nullptr;
    if (known == nullptr) continue;
    params.temperature = known->temperature;
    params.top_p = known->top_p;
  }
  PT_TRY(ReadSamplingKeys(file, params));
  PT_TRY(ReadGenerationConfig(file.path().parent_path() / "generation_config.json", params));
  const Status status = Validate(params, tokenizer.vocab_size());
  if (!status.ok()) return status.WithContext("the model's default sampling");
  return params;
}

}  // namespace

Result<std::shared_ptr<const text::Tokenizer>> MakeTokenizer(const ModelFile& file) {
  text::TokenizerSpec spec;
  PT_ASSIGN(std::optional<std::string> model, file.String("tokenizer.ggml.model"));
  PT_ASSIGN(std::optional<std::string> pre, file.String("tokenizer.ggml.pre"));
  PT_ASSIGN(auto tokens, file.Strings("tokenizer.ggml.tokens"));
  PT_ASSIGN(auto scores, file.Floats("tokenizer.ggml.scores"));
  PT_ASSIGN(auto merges, file.Strings("tokenizer.ggml.merges"));
  if (!model)
    return InvalidArgument("the file has no tokenizer: key 'tokenizer.ggml.model' is missing",
                           "tokenizer.ggml.model");
  if (!tokens)
    return InvalidArgument("the file has no vocabulary: key 'tokenizer.ggml.tokens' is missing",
                           "tokenizer.ggml.tokens");
  spec.model = std::move(*model);
  spec.pre = std::move(pre).value_or("");
  spec.tokens = std::move(*tokens);
  if (scores) spec.scores = std::move(*scores);
  if (merges) spec.merges = std::move(*merges);
  PT_ASSIGN(spec.types, ReadTypes(file));
  PT_TRY(ReadIds(file, spec));
  PT_TRY(ReadFlags(file, spec));
  PT_ASSIGN(const auto architecture, file.String("general.architecture"));
  text::SetKnownTokenFlags(architecture.value_or(""), spec);
  return text::Tokenizer::Create(std::move(spec));
}

Result<std::shared_ptr<const text::ChatTemplate>> MakeChatTemplate(
    const ModelFile& file, const text::Tokenizer& tokenizer) {
  PT_ASSIGN(std::optional<std::string> source, file.String("tokenizer.chat_template"));
  if (!source || source->empty()) return std::shared_ptr<const text::ChatTemplate>();
  const text::TokenizerSpec& spec = tokenizer.spec();
  return text::ChatTemplate::Compile(std::move(*source), TokenText(spec, spec.bos),
                                     TokenText(spec, spec.eos), text::ControlTexts(tokenizer));
}

Result<Bundle> LoadBundle(const std::filesystem::path& path, ops::Context& ctx,
                          const models::LoadOptions& options) {
  Bundle bundle;
  PT_ASSIGN(bundle.file, formats::OpenModelFile(path));
  const ModelFile& file = *bundle.file;
  bundle.name = file.path().stem().string();
  Result<std::shared_ptr<const text::Tokenizer>> tokenizer = MakeTokenizer(file);
  if (!tokenizer.ok()) return tokenizer.status().WithContext(file.path().string());
  bundle.tokenizer = std::move(tokenizer).value();
  PT_TRY(CheckVocabulary(file, *bundle.tokenizer));
  auto chat_template = MakeChatTemplate(file, *bundle.tokenizer);
  if (!chat_template.ok())
    return chat_template.status().WithContext(file.path().string() + ": chat template");
  bundle.chat_template = std::move(chat_template).value();
  PT_ASSIGN(bundle.defaults, ReadDefaults(file, *bundle.tokenizer));
  PT_ASSIGN(bundle.model, models::LoadModel(file, ctx, options));
  return bundle;
}

}  // namespace pingti::runtime
