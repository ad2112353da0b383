// pingti pull: brings a model from a hub.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "base/i18n.h"
#include "base/progress.h"
#include "command.h"
#include "interrupt.h"
#include "models_of.h"
#include "store/net_fetcher.h"
#include "store/pull.h"

namespace pingti::apps {
namespace {

Result<store::HubOptions> HubOf(const HubConfig& config) {
  store::HubOptions hub;
  PT_ASSIGN(hub.kind, store::ParseHubKind(config.hub));
  hub.token = config.hub_token;
  hub.url = config.hub_url;
  if (hub.url.empty())
    hub.url =
        hub.kind == store::HubKind::kHuggingFace ? config.huggingface_url : config.modelscope_url;
  while (hub.url.ends_with('/')) hub.url.pop_back();
  return hub;
}

class PullCommand final : public Command {
 public:
  Message summary() const override { return {"bring a model from a hub", "从模型仓库下载模型"}; }
  Message usage() const override {
    return {
        "ORG/NAME[@REVISION][:FILE or QUANTISATION]\n"
        "Resumable, checked by SHA-256. Hugging Face by default; --hub modelscope, --hub-url for a "
        "mirror; HTTPS_PROXY is\n"
        "respected. Of several quantisations Q4_K_M is taken, or the one that is named.\n",
        "组织/名称[@版本][:文件 或 量化名]\n"
        "可断点续传，并校验 SHA-256。默认 Hugging Face；--hub modelscope 使用魔搭，--hub-url "
        "使用镜像；遵循 HTTPS_PROXY。\n"
        "有多种量化时默认取 Q4_K_M，也可指定。\n"};
  }
  std::vector<std::string_view> sections() const override { return {"model", "hub"}; }

  Result<int> Run(Invocation& invocation) override {
    if (invocation.positionals.size() != 1)
      return UsageError(Tr("pull: name one model: ORG/NAME", "pull：请指定一个模型：组织/名称"));
    store::PullOptions pull;
    PT_ASSIGN(pull.reference, store::ParseHubReference(invocation.positionals[0]));
    PT_ASSIGN(pull.hub, HubOf(invocation.config.hub));
    const store::ModelFolders folders = FoldersOf(invocation.config);
    std::vector<store::HubFile> files;
    std::unique_ptr<Progress> bar;
    pull.on_files = [&](const std::vector<store::HubFile>& wanted) { files = wanted; };
    pull.on_progress = [&](size_t file, uint64_t done, uint64_t all) {
      if (!bar) bar = std::make_unique<Progress>(Progress::Options{.title = files[file].path});
      bar->Update(done, all);
    };
    pull.on_file_done = [&](size_t) {
      if (bar) bar->Finish();
      bar.reset();
    };
    std::atomic<bool>& interrupted = InterruptFlag();
    pull.cancelled = [&] { return interrupted.load(); };
    store::NetFetcher fetcher(&interrupted);
    const Result<std::filesystem::path> path = store::Pull(fetcher, folders, pull);
    if (interrupted && !path.ok()) {
      std::fprintf(stderr, "\npingti: %s\n",
                   Tr("stopped; the same command goes on from here", "已停止；重复同一命令可继续"));
      return kExitInterrupted;
    }
    if (!path.ok()) return path.status();
    std::puts(path->c_str());
    std::fprintf(stderr, "%s pingti serve --model %s\n", Tr("next:", "下一步："),
                 invocation.positionals[0].c_str());
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakePullCommand() { return std::make_unique<PullCommand>(); }

}  // namespace pingti::apps
