// pingti bench: how fast the engine is here, and how much of the machine's limits that is.
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>

#include "base/i18n.h"
#include "bench.h"
#include "command.h"
#include "machine.h"

namespace pingti::apps {
namespace {

struct BenchEntry {
  std::string_view name;
  Status (*run)(LocalEngine& engine, const BenchOptions& options, BenchReport& report);
};
constexpr BenchEntry kBenches[] = {
    {"engine", BenchEngine}, {"batch", BenchBatch}, {"throughput", BenchThroughput}};

constexpr int64_t kSizeMax = 1 << 17;

// "512" or "8k"; 0 where it is neither.
int64_t ParseSize(std::string_view text) {
  const bool thousands = text.ends_with('k');
  if (thousands) text.remove_suffix(1);
  int64_t size = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || rest != text.data() + text.size() || size < 1 || size > kSizeMax)
    return 0;
  size *= thousands ? 1024 : 1;
  return size <= kSizeMax ? size : 0;
}

// "1,16", or "512..8k": each twice the one before.
Result<std::vector<int64_t>> ParseSizes(std::string_view text) {
  std::vector<int64_t> sizes;
  for (std::string_view left = text; !left.empty();) {
    const size_t comma = std::min(left.find(','), left.size());
    const std::string_view item = left.substr(0, comma);
    const size_t dots = item.find("..");
    const int64_t first = ParseSize(item.substr(0, dots));
    const int64_t last = dots == item.npos ? first : ParseSize(item.substr(dots + 2));
    if (first < 1 || last < first) {
      return InvalidArgument(TrFormat("--sizes: '{}' is no list of numbers like 1,16 or 512..8k",
                                      "--sizes：'{}' 不是形如 1,16 或 512..8k 的数字列表", text),
                             "sizes");
    }
    for (int64_t size = first; size <= last; size *= 2) sizes.push_back(size);
    left.remove_prefix(std::min(comma + 1, left.size()));
  }
  return sizes;
}

class BenchCommand final : public Command {
 public:
  Message summary() const override {
    return {"measure the engine against the machine's limits", "测量引擎速度及其占机器极限的比例"};
  }
  Message usage() const override {
    return {
        "[engine | batch | throughput | attn] [OPTIONS]\n"
        "  engine       prefill 512 and 2,048, decode at depth 0 and 4,096, batches (the default)\n"
        "  batch        aggregate decode by batch size: --sizes 1,16\n"
        "  throughput   --concurrency N requests at once, prompts included\n"
        "  attn         attention with online softmax against the naive one: --ctx 512..8k; "
        "needs no model\n"
        "Medians over rounds, with the least and the greatest value; other programs on the machine "
        "disturb.\n",
        "[engine | batch | throughput | attn] [选项]\n"
        "  engine       预填充 512 与 2048、深度 0 与 4096 的解码、批处理（默认）\n"
        "  batch        不同批大小的总解码速度：--sizes 1,16\n"
        "  throughput   --concurrency N 个并发请求，含提示处理\n"
        "  attn         在线 softmax 注意力与朴素实现对比：--ctx 512..8k；不需要模型\n"
        "输出各轮的中位数、最小值与最大值；机器上的其他程序会产生干扰。\n"};
  }
  std::vector<std::string_view> sections() const override { return {"model", "engine"}; }
  std::vector<OptionTable> own_tables() override {
    return {{.section = "",
             .title = {"Bench", "测量"},
             .options = {{.name = "rounds",
                          .target = &options_.rounds,
                          .help = {"0: five, or two with --quick", "0 表示五轮，--quick 时两轮"},
                          .min = 0,
                          .max = 1000},
                         {.name = "quick",
                          .target = &options_.quick,
                          .help = {"fewer rows and rounds", "更少的项目与轮数"}},
                         {.name = "sizes",
                          .target = &sizes_,
                          .help = {"batch sizes or contexts, as 1,16 or 512..8k",
                                   "批大小或上下文长度，如 1,16 或 512..8k"},
                          .value_name = "LIST",
                          .aliases = {"ctx"}},
                         {.name = "concurrency",
                          .target = &options_.concurrency,
                          .help = {"requests at once (throughput)", "并发请求数（throughput）"},
                          .min = 1,
                          .max = 4096},
                         {.name = "prompt-tokens",
                          .target = &options_.prompt_tokens,
                          .help = {"of batch and throughput", "用于 batch 与 throughput"},
                          .min = 1,
                          .max = 1 << 17},
                         {.name = "output-tokens",
                          .target = &options_.output_tokens,
                          .help = {"of batch and throughput", "用于 batch 与 throughput"},
                          .min = 2,
                          .max = 1 << 17},
                         {.name = "json", .target = &json_, .help = {"as JSON", "以 JSON 输出"}}}}};
  }

  Result<int> Run(Invocation& invocation) override {
    PT_ASSIGN(options_.sizes, ParseSizes(sizes_));
    const std::string name = invocation.positionals.empty() ? "engine" : invocation.positionals[0];
    BenchReport report;
    if (name == "attn") {
      PT_TRY(Attention(invocation.config, report));
      return Print(report);
    }
    for (const BenchEntry& bench : kBenches) {
      if (bench.name == name && invocation.positionals.size() <= 1) {
        PT_TRY(WithModel(invocation.config, bench, report));
        return Print(report);
      }
    }
    return UsageError(TrFormat("bench: no bench '{}': engine, batch, throughput or attn",
                               "bench：没有 '{}'：可用 engine、batch、throughput、attn", name));
  }

 private:
  Status Attention(const Config& config, BenchReport& report) {
    PT_ASSIGN(const kernels::KernelTable* table, kernels::ProcessTable());
    ThreadPool pool({.threads = config.engine.threads});
    ops::Context context{pool, *table};
    AddFacts(*table, pool.size(), report);
    return BenchAttention(context, options_, report);
  }

  Status WithModel(Config& config, const BenchEntry& bench, BenchReport& report) {
    PT_ASSIGN(const ChosenModel model, ChooseModel(config));
    PT_TRY(AddLimits(config, report));
    ResetPeakMemory();  // the probe's buffer is none of the engine's
    PT_ASSIGN(const std::unique_ptr<LocalEngine> engine,
              LocalEngine::Load(config, model, isatty(STDERR_FILENO) != 0));
    report.facts()["model"] = engine->bundle().name;
    report.facts()["file"] = model.path.filename().string();
    report.facts()["weight_bytes"] = engine->weight_bytes();
    AddFacts(engine->kernels(), engine->threads(), report);
    PT_TRY(bench.run(*engine, options_, report));
    report.facts()["load_seconds"] = engine->load_seconds();
    report.facts()["peak_memory_bytes"] = PeakMemoryBytes();
    return Status::Ok();
  }

  Status AddLimits(const Config& config, BenchReport& report) {
    PT_ASSIGN(const kernels::KernelTable* table, kernels::ProcessTable());
    const kernels::MachineLimits limits = MeasureLimits(config.engine.threads, *table);
    options_.limits = limits;
    report.facts()["limits"] = LimitsJson(limits);
    report.facts()["memory GB/s"] = fmt::format("{:.1f}", limits.memory_bytes_per_second / 1e9);
    report.facts()["f32 GFLOP/s"] = fmt::format("{:.0f}", limits.f32_flops / 1e9);
    report.facts()["bf16 GFLOP/s"] = fmt::format("{:.0f}", limits.bf16_flops / 1e9);
    report.facts()["int8 GOP/s"] = fmt::format("{:.0f}", limits.i8_ops / 1e9);
    return Status::Ok();
  }

  static void AddFacts(const kernels::KernelTable& table, int threads, BenchReport& report) {
    report.facts()["version"] = VersionText();
    report.facts()["cpu"] = CpuModel();
    report.facts()["kernels"] = kernels::IsaLevelName(table.level);
    report.facts()["threads"] = threads;
  }

  int Print(const BenchReport& report) const {
    const std::string text = json_ ? report.Json() : report.Table();
    std::fwrite(text.data(), 1, text.size(), stdout);
    return kExitOk;
  }

  BenchOptions options_;
  std::string sizes_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeBenchCommand() { return std::make_unique<BenchCommand>(); }

}  // namespace pingti::apps
