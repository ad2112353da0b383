// pingti models: what is in the model folders.
#include <fmt/format.h>

#include <cstdio>

#include "base/i18n.h"
#include "base/json.h"
#include "base/progress.h"
#include "command.h"
#include "formats/model_file.h"
#include "models_of.h"

namespace pingti::apps {
namespace {

// What the file itself says; "?" where it says nothing or cannot be read.
struct Card {
  std::string architecture = "?", quantisation = "?", licence = "?";
  int64_t context = 0;
  std::string error;
};

// The type of the most bytes.
std::string MainType(const formats::ModelFile& file) {
  size_t bytes[kDTypeCount] = {};
  for (const TensorView& tensor : file.tensors())
    bytes[static_cast<size_t>(tensor.type)] += tensor.bytes.size();
  size_t best = 0;
  for (size_t type = 1; type < kDTypeCount; ++type) {
    if (bytes[type] > bytes[best]) best = type;
  }
  return std::string(Info(static_cast<DType>(best)).name);
}

Card ReadCard(const std::filesystem::path& path) {
  Card card;
  const auto opened = formats::OpenModelFile(path);
  if (!opened.ok()) {
    card.error = opened.status().message();
    return card;
  }
  const formats::ModelFile& file = **opened;
  const auto text = [&](const char* key) {
    const auto value = file.String(key);
    return value.ok() && *value ? **value : std::string("?");
  };
  card.architecture = text("general.architecture");
  card.licence = text("general.license");
  card.quantisation = MainType(file);
  const auto context = file.Int(card.architecture + ".context_length");
  if (context.ok() && *context) card.context = **context;
  return card;
}

// `text` and spaces up to `width` cells.
std::string Padded(const std::string& text, int width) {
  return text + std::string(static_cast<size_t>(std::max(1, width - DisplayWidth(text))), ' ');
}

class ModelsCommand final : public Command {
 public:
  Message summary() const override { return {"the models on this machine", "本机上的模型"}; }
  Message usage() const override {
    return {"[--json]\nLooks in the model folder and in the caches of the hubs' own tools.\n",
            "[--json]\n查找模型文件夹以及各仓库工具自身的缓存。\n"};
  }
  std::vector<std::string_view> sections() const override { return {"model"}; }
  std::vector<OptionTable> own_tables() override {
    return {{.section = "",
             .title = {"Output", "输出"},
             .options = {{.name = "json", .target = &json_, .help = {"as JSON", "以 JSON 输出"}}}}};
  }

  Result<int> Run(Invocation& invocation) override {
    const store::ModelFolders folders = FoldersOf(invocation.config);
    const std::vector<store::FoundModel> models = folders.List();
    const std::string text = json_ ? Json(models) : Table(models, folders);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return kExitOk;
  }

 private:
  static std::string Json(const std::vector<store::FoundModel>& models) {
    json::array list;
    for (const store::FoundModel& model : models) {
      const Card card = ReadCard(model.path);
      json::object entry = {{"name", model.name},
                            {"path", model.path.string()},
                            {"bytes", model.bytes},
                            {"architecture", card.architecture},
                            {"quantisation", card.quantisation},
                            {"context_length", card.context},
                            {"licence", card.licence}};
      if (!card.error.empty()) entry["error"] = card.error;
      list.emplace_back(std::move(entry));
    }
    return ToJson(list) + "\n";
  }

  static std::string Table(const std::vector<store::FoundModel>& models,
                           const store::ModelFolders& folders) {
    if (models.empty()) {
      return TrFormat("no models in {}\nBring one: pingti pull ORG/NAME\n",
                      "{} 中没有模型\n获取模型：pingti pull 组织/名称\n", folders.own().string());
    }
    int width = 6;
    for (const store::FoundModel& model : models)
      width = std::max(width, DisplayWidth(model.name) + 2);
    std::string out = Padded(Tr("NAME", "名称"), width) + Padded(Tr("ARCH", "架构"), 10) +
                      Padded(Tr("SIZE", "大小"), 10) + Padded(Tr("TYPE", "类型"), 8) +
                      Padded(Tr("CONTEXT", "上下文"), 9) + Tr("LICENCE", "许可证") + "\n";
    for (const store::FoundModel& model : models) {
      const Card card = ReadCard(model.path);
      out += Padded(model.name, width);
      if (!card.error.empty()) {
        out += card.error + "\n";
        continue;
      }
      out += Padded(card.architecture, 10) +
             Padded(FormatBytes(static_cast<double>(model.bytes)), 10) +
             Padded(card.quantisation, 8) +
             Padded(card.context > 0 ? std::to_string(card.context) : "?", 9) + card.licence + "\n";
    }
    return out;
  }

  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeModelsCommand() { return std::make_unique<ModelsCommand>(); }

}  // namespace pingti::apps
