#include "sampling_flags.h"

#include <fmt/format.h>

#include "base/i18n.h"

namespace pingti::apps {
namespace {

constexpr const char* kTitle = "Sampling (defaults are the model's)";

Option Number(const char* name, float* target, double min, double max, Message help) {
  return {.name = name, .target = target, .help = help, .min = min, .max = max};
}

}  // namespace

OptionTable SamplingTable(SamplingSettings& settings) {
  runtime::SamplingParams& p = settings.params;
  return {
      .section = "",
      .title = {kTitle, "采样（默认取自模型）"},
      .options =
          {
              Number("temperature", &p.temperature, 0, 2,
                     {"0: always the likeliest token", "0 表示总取最可能的 token"}),
              Number("top-p", &p.top_p, 0, 1,
                     {"least set of tokens with this probability", "累积概率达到该值的最小集合"}),
              {.name = "top-k",
               .target = &p.top_k,
               .help = {"the k likeliest tokens; 0: off", "最可能的 k 个 token；0 表示关闭"},
               .min = -1,
               .max = 1 << 20},
              Number("min-p", &p.min_p, 0, 1,
                     {"tokens at least this likely, relative to the best",
                      "相对最佳 token 的最低概率"}),
              Number("typical-p", &p.typical_p, 0, 1,
                     {"locally typical sampling; 1: off", "局部典型采样；1 表示关闭"}),
              Number("repetition-penalty", &p.repetition_penalty, 0.01, 10,
                     {"over prompt and answer; 1: off", "作用于提示与回答；1 表示关闭"}),
              Number("presence-penalty", &p.presence_penalty, -2, 2,
                     {"over the answer", "作用于回答"}),
              Number("frequency-penalty", &p.frequency_penalty, -2, 2,
                     {"over the answer", "作用于回答"}),
              {.name = "seed",
               .target = &settings.seed,
               .help = {"of the random draws (default: a new one each time)",
                        "随机种子（默认每次不同）"}},
              {.name = "max-tokens",
               .target = &p.max_tokens,
               .help = {"of the answer; 0: as the context holds",
                        "回答的最大 token 数；0 表示以上下文为限"},
               .min = 0,
               .max = 1 << 24,
               .aliases = {"max-new-tokens"},
               .letter = 'n'},
              {.name = "stop",
               .target = &p.stop,
               .help = {"text that ends the answer; may be repeated", "遇到该文本即停止，可重复"}},
              {.name = "ignore-eos",
               .target = &p.ignore_eos,
               .help = {"go on after the end token", "遇到结束 token 后继续"}},
          },
      .show_defaults = false};
}

Status SetSampling(runtime::SamplingParams& params, std::string_view name, std::string_view value) {
  SamplingSettings settings{params, 0};
  const OptionTable table = SamplingTable(settings);
  std::vector<std::string> names;
  std::string wanted(name);
  for (char& c : wanted) c = c == '_' ? '-' : c;
  for (const Option& option : table.options) {
    names.push_back(option.name);
    if (option.name != wanted) continue;
    if (option.name == "stop") settings.params.stop.clear();
    PT_TRY(SetOption(option, value, name));
    params = settings.params;
    if (option.name == "seed") params.seed = settings.seed;
    return Status::Ok();
  }
  return InvalidArgument(TrFormat("no parameter '{}'; there are: {}", "没有参数 '{}'；可用：{}",
                                  name, fmt::join(names, ", ")),
                         std::string(name));
}

Result<runtime::SamplingParams> SamplingOf(const Invocation& invocation,
                                           const runtime::SamplingParams& defaults) {
  runtime::SamplingParams params = defaults;
  bool stops = false;
  for (const OptionSet::Flag& flag : invocation.arguments.flags) {
    const OptionTable& table = invocation.options.tables()[flag.table];
    if (std::string_view(table.title.english) != kTitle) continue;
    const std::string& name = table.options[flag.option].name;
    if (name == "stop" && stops) {
      params.stop.push_back(flag.value);
      continue;
    }
    stops = stops || name == "stop";
    PT_TRY(SetSampling(params, name, flag.value));
  }
  return params;
}

}  // namespace pingti::apps
