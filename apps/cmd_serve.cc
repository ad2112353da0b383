// pingti serve: the OpenAI-compatible server.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "base/i18n.h"
#include "base/json.h"
#include "base/progress.h"
#include "command.h"
#include "models_of.h"
#include "server/server.h"

namespace pingti::apps {
namespace {

std::string Curl(const server::ReadyInfo& info) {
  const json::object chat = {
      {"model", info.model},
      {"messages", json::array{json::object{{"role", "user"}, {"content", Tr("Hello", "你好")}}}},
      {"max_tokens", 64}};
  const json::object plain = {
      {"model", info.model}, {"prompt", "Once upon a time"}, {"max_tokens", 32}};
  std::string key;
  if (info.needs_key) key = " -H \"Authorization: Bearer $PINGTI_API_KEY\"";
  return fmt::format("  curl {}{} -H 'Content-Type: application/json'{} \\\n    -d '{}'\n",
                     info.url, info.chat ? "/v1/chat/completions" : "/v1/completions", key,
                     ToJson(info.chat ? chat : plain));
}

std::string ReadyText(const server::ReadyInfo& info, bool is_default) {
  std::string out = TrFormat(
      "{}: {} weights ({}), kernels {}, {} threads, context {}, loaded in {}\n",
      "{}：权重 {}（{}），内核 {}，{} 线程，上下文 {}，加载用时 {}\n", info.model,
      FormatBytes(static_cast<double>(info.weight_bytes)), info.architecture, info.kernel_level,
      info.threads, info.context_length, FormatSeconds(info.load_seconds));
  out += TrFormat("Ready: {}  (open it in a browser for the console; API: {}/v1)\n\n",
                  "已就绪：{}  （用浏览器打开即为控制台；API：{}/v1）\n\n", info.url, info.url);
  out += Curl(info);
  if (is_default) {
    out += TrFormat(
        "\nThis default model (135M parameters, English) is a toy: it shows that the machine "
        "works. A real one:\n"
        "  pingti pull {}      or copy a GGUF file here\n"
        "  pingti serve --model FILE-or-NAME\n",
        "\n默认模型（1.35 亿参数，英文）只是演示用的小模型，用来验证机器可用。换成真正的模型：\n"
        "  pingti pull --hub modelscope {}      或直接拷贝 GGUF 文件\n"
        "  pingti serve --model 文件或名称\n",
        store::kExampleModel);
  }
  return out + Tr("\nCtrl-C ends it after the answers under way. More: pingti serve --help, pingti "
                  "doctor, pingti bench\n",
                  "\nCtrl-C 会在完成进行中的回答后退出。更多：pingti serve --help、pingti "
                  "doctor、pingti bench\n");
}

// What can be done about it, where that is known.
Status WithAdvice(const Status& error, const Config& config) {
  const std::string& message = error.message();
  const auto advised = [&](std::string advice) {
    return Status(error.code(), message + "\n" + advice, error.field());
  };
  if (message.find("in use") != std::string::npos) {
    return advised(
        TrFormat("Another program listens there. See which with `ss -ltnp`, or take another port: "
                 "pingti serve --port {}",
                 "该地址已被占用。用 `ss -ltnp` 查看占用者，或换一个端口：pingti serve --port {}",
                 config.server.port + 1));
  }
  if (error.code() == StatusCode::kResourceExhausted) {
    return advised(
        Tr("Less memory: a shorter context (--context-length 4096), a smaller KV type (--kv-type "
           "q8), a smaller model. "
           "`pingti doctor --model X` shows what fits",
           "减少内存：缩短上下文（--context-length 4096）、用更小的 KV 类型（--kv-type "
           "q8）或更小的模型。"
           "`pingti doctor --model X` 可查看容量"));
  }
  return error;
}

class ServeCommand final : public Command {
 public:
  Message summary() const override {
    return {"serve a model over an OpenAI-compatible API", "以 OpenAI 兼容 API 提供模型服务"};
  }
  Message usage() const override {
    return {"[--model FILE, FOLDER or NAME] [OPTIONS]\n", "[--model 文件、文件夹或名称] [选项]\n"};
  }
  std::vector<std::string_view> sections() const override {
    return {"model", "engine", "server", "limits", "log"};
  }
  bool takes_files() const override { return true; }

  Result<int> Run(Invocation& invocation) override {
    Config& config = invocation.config;
    if (invocation.positionals.size() == 1 && config.model.model.empty()) {
      config.model.model = invocation.positionals[0];
    } else if (!invocation.positionals.empty()) {
      return UsageError(TrFormat("serve: what is '{}'? A model is given with --model",
                                 "serve：无法理解 '{}'；用 --model 指定模型",
                                 invocation.positionals[0]));
    }
    PT_ASSIGN(const ChosenModel model, ChooseModel(config));
    PT_ASSIGN(const server::ServerOptions options, MakeServerOptions(config, model.path));
    std::unique_ptr<Progress> bar;
    server::RunHooks hooks;
    hooks.on_load_progress = [&](size_t done, size_t all) {
      if (!bar)
        bar = std::make_unique<Progress>(Progress::Options{
            .title = TrFormat("Loading {}", "加载 {}", model.path.filename().string())});
      bar->Update(done, all);
    };
    hooks.on_ready = [&](const server::ReadyInfo& info) {
      if (bar) bar->Finish();
      bar.reset();
      const std::string text = ReadyText(info, model.is_default);
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    };
    hooks.on_drain = [](int32_t under_way) {
      std::fprintf(stderr, "%s\n",
                   TrFormat("finishing {} answers under way; Ctrl-C again stops at once",
                            "正在完成 {} 个进行中的回答；再按 Ctrl-C 立即停止", under_way)
                       .c_str());
    };
    const Status status = server::Run(options, hooks);
    if (!status.ok()) return WithAdvice(status, config);
    return kExitOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeServeCommand() { return std::make_unique<ServeCommand>(); }

}  // namespace pingti::apps
