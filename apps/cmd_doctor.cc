// pingti doctor: what this machine is, which kernels run, whether they compute right, and what
// fits.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/i18n.h"
#include "base/json.h"
#include "base/progress.h"
#include "capacity.h"
#include "command.h"
#include "formats/model_file.h"
#include "kernels/self_check.h"
#include "machine.h"
#include "models_of.h"
#include "ops/kv_cache.h"
#include "product_check.h"

namespace pingti::apps {
namespace {

// A model's needs, from its file alone.
struct Needs {
  std::string name;
  uint64_t weight_bytes = 0;
  uint64_t kv_bytes_per_token = 0;
  int64_t context = 0;
};

std::string Bytes(uint64_t bytes) { return FormatBytes(static_cast<double>(bytes)); }

Result<Needs> NeedsOf(const std::filesystem::path& path, ops::KvType kv_type) {
  PT_ASSIGN(const std::unique_ptr<formats::ModelFile> file, formats::OpenModelFile(path));
  Needs needs{.name = path.filename().string()};
  for (const TensorView& tensor : file->tensors()) needs.weight_bytes += tensor.bytes.size();
  PT_ASSIGN(const std::optional<std::string> architecture, file->String("general.architecture"));
  const std::string prefix = architecture.value_or("") + ".";
  const auto number = [&](const std::string& key, int64_t fallback) {
    const auto value = file->Int(prefix + key);
    return value.ok() && *value ? **value : fallback;
  };
  const int64_t heads = number("attention.head_count", 1);
  const int64_t head_dim = number("embedding_length", 0) / std::max<int64_t>(heads, 1);
  const ops::KvShape shape{
      .layers = static_cast<int32_t>(number("block_count", 0)),
      .kv_heads = static_cast<int32_t>(number("attention.head_count_kv", heads)),
      .key_dim = static_cast<int32_t>(number("attention.key_length", head_dim)),
      .value_dim = static_cast<int32_t>(number("attention.value_length", head_dim))};
  needs.kv_bytes_per_token = ops::KvCache::BlockBytes(shape, kv_type) / ops::kBlockTokens;
  needs.context = number("context_length", 0);
  return needs;
}

// Lines for a person and the same facts as JSON.
class Report final {
 public:
  void Add(const std::string& title, const std::string& key, std::string text, json::value value) {
    text_ += fmt::format(
        "{}{}{}\n", title,
        std::string(static_cast<size_t>(std::max(1, 14 - DisplayWidth(title))), ' '), text);
    json_[key] = std::move(value);
  }
  void Line(const std::string& text) { text_ += std::string(14, ' ') + text + "\n"; }
  void Problem(const std::string& text) { problems_.push_back(text); }
  const std::vector<std::string>& problems() const { return problems_; }
  std::string text() const {
    std::string out = text_ + "\n";
    for (const std::string& problem : problems_)
      out += TrFormat("PROBLEM: {}\n", "问题：{}\n", problem);
    if (problems_.empty()) out += Tr("all is well\n", "一切正常\n");
    return out;
  }
  std::string Json() {
    json_["problems"] = json::array(problems_.begin(), problems_.end());
    return ToJson(json_) + "\n";
  }

 private:
  std::string text_;
  json::object json_;
  std::vector<std::string> problems_;
};

class DoctorCommand final : public Command {
 public:
  Message summary() const override {
    return {"check this machine: CPU, kernels, memory, what fits",
            "检查本机：CPU、内核、内存与容量"};
  }
  Message usage() const override {
    return {
        "[--model MODEL] [--memory 24G] [--json]\nExit code 0: all is well; 1: a problem was "
        "found.\n",
        "[--model 模型] [--memory 24G] [--json]\n退出码 0：一切正常；1：发现问题。\n"};
  }
  std::vector<std::string_view> sections() const override { return {"model", "engine", "server"}; }
  std::vector<OptionTable> own_tables() override {
    return {{.section = "",
             .title = {"Output", "输出"},
             .options = {{.name = "json", .target = &json_, .help = {"as JSON", "以 JSON 输出"}},
                         {.name = "memory",
                          .target = &memory_bytes_,
                          .help = {"plan for a machine with so much free memory; 0: this one",
                                   "按此可用内存规划；0 表示本机"},
                          .min = 0,
                          .bytes = true}}}};
  }

  Result<int> Run(Invocation& invocation) override {
    const Config& config = invocation.config;
    Report report;
    report.Add(Tr("version", "版本"), "version", VersionText(), json::value(VersionText()));
    Processor(config.engine.threads, report);
    CheckKernels(report);
    Memory memory = MemoryAndDisk(config, report);
    if (memory_bytes_ > 0) memory.available_bytes = static_cast<uint64_t>(memory_bytes_);
    PT_TRY(Fits(config, memory, report));
    Environment(config, report);
    const std::string text = json_ ? report.Json() : report.text();
    std::fwrite(text.data(), 1, text.size(), stdout);
    return report.problems().empty() ? kExitOk : kExitFailure;
  }

 private:
  static void Processor(int threads, Report& report) {
    threads = ThreadPool({.threads = threads}).size();
    report.Add(Tr("processor", "处理器"), "cpu",
               TrFormat("{}, {} threads", "{}，{} 线程", CpuModel(), threads),
               json::object{{"model", CpuModel()}, {"threads", threads}});
    json::array levels;
    std::string has;
    for (int i = 0; i < kernels::kIsaLevelCount; ++i) {
      const auto level = static_cast<kernels::IsaLevel>(i);
      if (!kernels::CpuHas(level)) continue;
      levels.emplace_back(kernels::IsaLevelName(level));
      has += (has.empty() ? "" : " ") + std::string(kernels::IsaLevelName(level));
    }
    const Result<const kernels::KernelTable*> table = kernels::ProcessTable();
    if (!table.ok()) {
      report.Problem(table.status().message());
      return;
    }
    const char* forced = std::getenv("PINGTI_ISA");
    const std::string why =
        forced != nullptr && *forced != '\0'
            ? TrFormat("PINGTI_ISA={}", "PINGTI_ISA={}", forced)
            : std::string(Tr("the best that this CPU has", "本机 CPU 支持的最佳级别"));
    report.Add(
        Tr("kernels", "内核"), "kernels",
        TrFormat("{} ({}); available: {}", "{}（{}）；可用：{}",
                 kernels::IsaLevelName((*table)->level), why, has),
        json::object{{"table", kernels::IsaLevelName((*table)->level)}, {"available", levels}});
    const kernels::MachineLimits limits = MeasureLimits(threads, **table);
    report.Add(
        Tr("measured", "实测"), "limits",
        TrFormat("memory {:.1f} GB/s, f32 {:.0f} GFLOP/s, bf16 {:.0f} GFLOP/s, int8 {:.0f} GOP/s",
                 "内存 {:.1f} GB/s，f32 {:.0f} GFLOP/s，bf16 {:.0f} GFLOP/s，int8 {:.0f} GOP/s",
                 limits.memory_bytes_per_second / 1e9, limits.f32_flops / 1e9,
                 limits.bf16_flops / 1e9, limits.i8_ops / 1e9),
        LimitsJson(limits));
  }

  // The first kernel that differs from the reference by more than rounding.
  static Status Check(kernels::IsaLevel level) {
    for (const kernels::SelfTestResult& result : kernels::SelfTest(kernels::MakeTable(level))) {
      if (result.ok()) continue;
      return Internal(
          fmt::format("{} differs from the reference by {:.3g}, rounding explains {:.3g}",
                      result.kernel, result.error, result.bound));
    }
    return CheckProducts(kernels::MakeTable(level));
  }

  static void CheckKernels(Report& report) {
    json::object result;
    std::string text;
    for (int i = 0; i < kernels::kIsaLevelCount; ++i) {
      const auto level = static_cast<kernels::IsaLevel>(i);
      if (!kernels::CpuHas(level)) continue;
      const Status status = Check(level);
      const std::string name(kernels::IsaLevelName(level));
      result[name] = status.ok() ? "ok" : status.message();
      text += (text.empty() ? "" : ", ") + name + (status.ok() ? " ok" : " WRONG");
      if (!status.ok())
        report.Problem(TrFormat("kernels {}: {}", "内核 {}：{}", name, status.message()));
    }
    report.Add(Tr("self-test", "自检"), "self_test", text, std::move(result));
  }

  static Memory MemoryAndDisk(const Config& config, Report& report) {
    const Memory memory = ReadMemory();
    report.Add(
        Tr("memory", "内存"), "memory",
        TrFormat("{} of {} free{}", "可用 {} / 共 {}{}", Bytes(memory.available_bytes),
                 Bytes(memory.total_bytes),
                 memory.limited ? Tr(" (limit of the control group)", "（受控制组限制）") : ""),
        json::object{{"available_bytes", memory.available_bytes},
                     {"total_bytes", memory.total_bytes},
                     {"limited", memory.limited}});
    const std::filesystem::path folder = FoldersOf(config).own();
    const uint64_t disk = DiskFreeBytes(folder);
    report.Add(Tr("disk", "磁盘"), "disk",
               TrFormat("{} free at {}", "{} 可用（{}）", Bytes(disk), folder.string()),
               json::object{{"free_bytes", disk}, {"folder", folder.string()}});
    return memory;
  }

  static Status Fits(const Config& config, const Memory& memory, Report& report) {
    PT_ASSIGN(const ops::KvType kv_type, ops::ParseKvType(config.engine.kv_type));
    const Result<ChosenModel> model = ChooseModel(config);
    if (!model.ok()) {
      if (!config.model.model.empty()) report.Problem(model.status().message());
      report.Add(Tr("model", "模型"), "model", model.status().message(), nullptr);
    } else {
      const Result<Needs> needs = NeedsOf(model->path, kv_type);
      if (needs.ok()) {
        Plan(config, memory, *needs, report);
      } else {
        report.Problem(needs.status().message());
      }
    }
    Sizes(memory, kv_type, report);
    return Status::Ok();
  }

  // Weights, then keys and values: how many users at which context.
  static void Plan(const Config& config, const Memory& memory, const Needs& needs, Report& report) {
    const int64_t context = config.server.engine.context_length > 0
                                ? config.server.engine.context_length
                                : needs.context;
    const uint64_t left = memory.available_bytes > needs.weight_bytes
                              ? memory.available_bytes - needs.weight_bytes
                              : 0;
    const uint64_t per_user =
        needs.kv_bytes_per_token * static_cast<uint64_t>(std::max<int64_t>(context, 1));
    const uint64_t users = per_user > 0 ? left / per_user : 0;
    report.Add(Tr("model", "模型"), "model",
               TrFormat("{}: weights {} + KV {} a token ({})", "{}：权重 {} + 每 token KV {}（{}）",
                        needs.name, Bytes(needs.weight_bytes), Bytes(needs.kv_bytes_per_token),
                        config.engine.kv_type),
               json::object{{"name", needs.name},
                            {"weight_bytes", needs.weight_bytes},
                            {"kv_bytes_per_token", needs.kv_bytes_per_token},
                            {"context", context},
                            {"users_at_full_context", users},
                            {"fits", users > 0}});
    report.Line(
        TrFormat("{} - {} weights = {}; {} tokens x {} = {} a user: {} users at full context",
                 "{} - {} 权重 = {}；{} token x {} = 每用户 {}：满上下文可容纳 {} 个用户",
                 Bytes(memory.available_bytes), Bytes(needs.weight_bytes), Bytes(left), context,
                 Bytes(needs.kv_bytes_per_token), Bytes(per_user), users));
    if (users == 0) {
      report.Problem(
          TrFormat("{} does not fit at a context of {}: shorten it (--context-length), or take "
                   "--kv-type q8 or a smaller model",
                   "{} 在上下文 {} 下放不下：请缩短上下文（--context-length）、使用 --kv-type q8 "
                   "或更小的模型",
                   needs.name, context));
    }
  }

  // Which sizes of models fit, with keys and values for so many tokens of all users together.
  static void Sizes(const Memory& memory, ops::KvType kv_type, Report& report) {
    constexpr int64_t kKvTokens = 32768;
    json::object result;
    std::string text;
    for (const WeightFormat& format : WeightFormats()) {
      const ModelSize* size = LargestThatFits(format, kv_type, kKvTokens, memory.available_bytes);
      const Demand demand =
          size == nullptr ? Demand{} : DemandOf(*size, format, kv_type, kKvTokens);
      text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", format.name,
                          size == nullptr
                              ? "-"
                              : fmt::format("{} ({} + {})", size->name, Bytes(demand.weight_bytes),
                                            Bytes(demand.kv_bytes)));
      result[format.name] = size == nullptr ? "-" : size->name;
    }
    report.Add(Tr("fits", "可容纳"), "fits", TrFormat("up to {}", "最大 {}", text),
               std::move(result));
    report.Line(TrFormat("weights + KV of {} tokens, in {:.0f} % of {}",
                         "权重 + {} 个 token 的 KV，不超过 {:.0f} %（{}）", kKvTokens,
                         kUsableShare * 100, Bytes(memory.available_bytes)));
  }

  static void Environment(const Config& config, Report& report) {
    const bool is_free = !SomebodyListens(config.server.port);
    report.Add(Tr("port", "端口"), "port",
               fmt::format("{} {}", config.server.port,
                           is_free ? Tr("is free", "空闲") : Tr("is taken", "已被占用")),
               json::object{{"port", config.server.port}, {"free", is_free}});
    const bool chinese = CurrentLanguage() == Language::kChinese;
    report.Add(Tr("language", "语言"), "language", chinese ? "中文" : "English",
               chinese ? "zh" : "en");
  }

  bool json_ = false;
  int64_t memory_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeDoctorCommand() { return std::make_unique<DoctorCommand>(); }

}  // namespace pingti::apps
