#include "runtime/sampling.h"

#include <fmt/format.h>

#include <cmath>

#include "base/result.h"

namespace pingti::runtime {
namespace {

constexpr size_t kStopsMax = 64;
constexpr size_t kStopBytesMax = 1024;
constexpr size_t kListMax = 4096;  // logit_bias, stop_token_ids
constexpr int32_t kTopLogprobsMax = 20;

struct Range {
  const char* field;
  double value;
  double low;
  double high;
  bool low_open = false;
};

Status CheckRange(const Range& range) {
  const bool above = range.low_open ? range.value > range.low : range.value >= range.low;
  if (above && range.value <= range.high) return Status::Ok();  // false for NaN
  return InvalidArgument(
      fmt::format("{} must be in {}{}, {}], but is {}", range.field, range.low_open ? "(" : "[",
                  range.low, range.high, range.value),
      range.field);
}

Status CheckToken(const char* field, int32_t token, int32_t vocab_size) {
  if (token >= 0 && token < vocab_size) return Status::Ok();
  return InvalidArgument(fmt::format("{} has token id {}, but the vocabulary has ids 0 to {}",
                                     field, token, vocab_size - 1),
                         field);
}

Status CheckCount(const char* field, size_t count, size_t most) {
  if (count <= most) return Status::Ok();
  return InvalidArgument(
      fmt::format("{} has {} entries; at most {} are allowed", field, count, most), field);
}

Status CheckStops(const char* field, const std::vector<std::string>& texts) {
  PT_TRY(CheckCount(field, texts.size(), kStopsMax));
  for (const std::string& text : texts) {
    if (text.empty()) return InvalidArgument(fmt::format("{} has an empty text", field), field);
    if (text.size() <= kStopBytesMax) continue;
    return InvalidArgument(fmt::format("{} has a text of {} bytes; at most {} are allowed", field,
                                       text.size(), kStopBytesMax),
                           field);
  }
  return Status::Ok();
}

Status CheckRanges(const SamplingParams& p) {
  constexpr double kBig = 1e9;
  const auto real = [](float value) { return static_cast<double>(value); };
  const Range ranges[] = {
      {"temperature", real(p.temperature), 0, 2},
      {"top_k", static_cast<double>(p.top_k), -1, kBig},
      {"top_p", real(p.top_p), 0, 1, true},
      {"min_p", real(p.min_p), 0, 1},
      {"typical_p", real(p.typical_p), 0, 1, true},
      {"top_n_sigma", real(p.top_n_sigma), -kBig, kBig},
      {"repetition_penalty", real(p.repetition_penalty), 0, 100, true},
      {"presence_penalty", real(p.presence_penalty), -2, 2},
      {"frequency_penalty", real(p.frequency_penalty), -2, 2},
      {"dry_multiplier", real(p.dry_multiplier), 0, 100},
      {"dry_base", real(p.dry_base), 1, 100},
      {"dry_allowed_length", static_cast<double>(p.dry_allowed_length), 0, kBig},
      {"dry_penalty_last_n", static_cast<double>(p.dry_penalty_last_n), -1, kBig},
      {"xtc_probability", real(p.xtc_probability), 0, 1},
      {"xtc_threshold", real(p.xtc_threshold), 0, 1},
      {"mirostat_tau", real(p.mirostat_tau), 0, 100},
      {"mirostat_eta", real(p.mirostat_eta), 0, 1},
      {"min_tokens", static_cast<double>(p.min_tokens), 0, kBig},
      {"max_tokens", static_cast<double>(p.max_tokens), 0, kBig},
      {"top_logprobs", static_cast<double>(p.top_logprobs), -1, kTopLogprobsMax},
      {"prompt_logprobs", static_cast<double>(p.prompt_logprobs), -1, kTopLogprobsMax},
  };
  for (const Range& range : ranges) PT_TRY(CheckRange(range));
  return Status::Ok();
}

}  // namespace

Status Validate(const SamplingParams& params, int32_t vocab_size) {
  PT_TRY(CheckRanges(params));
  if (params.mirostat != 0 && params.mirostat != 2) {
    return InvalidArgument(fmt::format("mirostat must be 0 or 2, but is {}", params.mirostat),
                           "mirostat");
  }
  if (params.max_tokens > 0 && params.min_tokens > params.max_tokens) {
    return InvalidArgument(fmt::format("min_tokens ({}) must not be above max_tokens ({})",
                                       params.min_tokens, params.max_tokens),
                           "min_tokens");
  }
  PT_TRY(CheckCount("logit_bias", params.logit_bias.size(), kListMax));
  for (const auto& [token, bias] : params.logit_bias) {
    PT_TRY(CheckToken("logit_bias", token, vocab_size));
    PT_TRY(CheckRange({"logit_bias", static_cast<double>(bias), -100, 100}));
  }
  PT_TRY(CheckCount("stop_token_ids", params.stop_token_ids.size(), kListMax));
  for (const int32_t token : params.stop_token_ids)
    PT_TRY(CheckToken("stop_token_ids", token, vocab_size));
  PT_TRY(CheckStops("stop", params.stop));
  return CheckStops("dry_sequence_breakers", params.dry_sequence_breakers);
}

}  // namespace pingti::runtime
