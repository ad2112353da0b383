// pingti chat: a conversation in the terminal.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "base/file.h"
#include "base/i18n.h"
#include "base/progress.h"
#include "chat_backend.h"
#include "command.h"
#include "interrupt.h"
#include "line_editor.h"
#include "sampling_flags.h"

namespace pingti::apps {
namespace {

constexpr const char* kDim = "\x1b[2m";
constexpr const char* kPlain = "\x1b[0m";

std::filesystem::path HistoryFile() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0') {
    return std::filesystem::path(state) / "pingti" / "history";
  }
  const char* home = std::getenv("HOME");
  return home == nullptr ? std::filesystem::path()
                         : std::filesystem::path(home) / ".local/state/pingti/history";
}

void Say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// One conversation: the messages, the parameters, and the /commands on them.
class ChatSession final {
 public:
  ChatSession(ChatBackend& backend, runtime::SamplingParams sampling, const std::string& system)
      : backend_(backend), sampling_(std::move(sampling)), terminal_(isatty(STDOUT_FILENO) != 0) {
    SetSystem(system);
  }

  // Handles one line; false: the end.
  bool Handle(const std::string& line) {
    if (line.empty()) return true;
    if (line[0] != '/') return Answer(line), true;
    const size_t space = std::min(line.find(' '), line.size());
    const std::string name = line.substr(1, space - 1);
    const std::string rest = space < line.size() ? line.substr(space + 1) : "";
    if (name == "exit" || name == "quit") return false;
    for (const SlashCommand& command : kCommands) {
      if (command.name == name) {
        (this->*command.run)(rest);
        return true;
      }
    }
    Say(TrFormat("no command /{}; /help lists them\n", "没有命令 /{}；输入 /help 查看\n", name));
    return true;
  }

 private:
  struct SlashCommand {
    std::string_view name;
    std::string_view arguments;
    Message help;
    void (ChatSession::*run)(const std::string&);
  };
  static const std::array<SlashCommand, 8> kCommands;

  void Answer(const std::string& text) {
    messages_.push_back(json::object{{"role", "user"}, {"content", text}});
    std::atomic<bool>& interrupted = InterruptFlag();
    bool dim = false;
    const auto show = [&](std::string_view piece, bool reasoning) {
      if (terminal_ && reasoning != dim) Say(reasoning ? kDim : kPlain);
      dim = reasoning;
      Say(std::string(piece));
    };
    const Result<ChatReply> reply = backend_.Ask(messages_, sampling_, show, &interrupted);
    if (terminal_ && dim) Say(kPlain);
    if (!reply.ok()) {
      messages_.pop_back();  // the question can be asked again
      Say(TrFormat("error: {}\n", "错误：{}\n", reply.status().message()));
      return;
    }
    last_ = *reply;
    messages_.push_back(json::object{{"role", "assistant"}, {"content", reply->content}});
    Say("\n");
    if (reply->cancelled) Say(Tr("[stopped]\n", "[已停止]\n"));
    if (reply->cut) Say(Tr("[cut: the token limit is reached]\n", "[已截断：达到 token 上限]\n"));
  }

  void SetSystem(const std::string& text) {
    if (!messages_.empty() && messages_[0].get_object().at("role") == "system")
      messages_.erase(messages_.begin());
    if (!text.empty())
      messages_.insert(messages_.begin(), json::object{{"role", "system"}, {"content", text}});
  }

  void Help(const std::string&) {
    std::string out;
    for (const SlashCommand& command : kCommands) {
      const std::string left = fmt::format("  /{} {}", command.name, command.arguments);
      out += fmt::format("{:<22}{}\n", left, command.help.text());
    }
    out +=
        Tr("  /exit                 end (also Ctrl-D)\n"
           "Ctrl-C stops the answer. Several lines: Alt-Enter, a backslash at the end of a line, "
           "or a paste.\n",
           "  /exit                 结束（或 Ctrl-D）\n"
           "Ctrl-C 停止当前回答。多行输入：Alt-Enter、行尾反斜杠，或直接粘贴。\n");
    Say(out);
  }

  void Reset(const std::string&) {
    const bool has_system = !messages_.empty() && messages_[0].get_object().at("role") == "system";
    messages_.erase(messages_.begin() + (has_system ? 1 : 0), messages_.end());
    Say(Tr("the conversation begins anew\n", "对话已重新开始\n"));
  }

  void System(const std::string& text) {
    SetSystem(text);
    Say(text.empty() ? Tr("no system message\n", "已清除系统消息\n")
                     : Tr("system message set\n", "已设置系统消息\n"));
  }

  void Save(const std::string& file) {
    const std::string text = ToJson(json::object{{"messages", messages_}}) + "\n";
    const Status status = WriteFileAtomically(file, std::as_bytes(std::span(text)));
    Say(status.ok() ? TrFormat("saved {} messages to {}\n", "已将 {} 条消息保存到 {}\n",
                               messages_.size(), file)
                    : TrFormat("error: {}\n", "错误：{}\n", status.message()));
  }

  static Result<json::array> ReadMessages(const std::string& file) {
    PT_ASSIGN(const std::string text, ReadFile(file));
    PT_ASSIGN(const json::value root, ParseJson(text));
    const json::value* list =
        root.is_object() ? root.get_object().if_contains("messages") : nullptr;
    if (list == nullptr || !list->is_array())
      return DataLoss(TrFormat("{}: no list \"messages\"", "{}：没有 \"messages\" 列表", file));
    for (const json::value& message : list->get_array()) {
      const json::object* object = message.if_object();
      const bool good = object != nullptr && object->contains("role") &&
                        object->at("role").is_string() && object->contains("content");
      if (!good)
        return DataLoss(TrFormat("{}: a message without role and content",
                                 "{}：有消息缺少 role 或 content", file));
    }
    return list->get_array();
  }

  void Load(const std::string& file) {
    const Result<json::array> loaded = ReadMessages(file);
    if (!loaded.ok()) return Say(TrFormat("error: {}\n", "错误：{}\n", loaded.status().message()));
    messages_ = *loaded;
    Say(TrFormat("{} messages from {}\n", "已载入 {} 条消息：{}\n", messages_.size(), file));
  }

  void Set(const std::string& text) {
    const size_t space = std::min(text.find(' '), text.size());
    const std::string value = space < text.size() ? text.substr(space + 1) : "";
    const Status status = SetSampling(sampling_, text.substr(0, space), value);
    Say(status.ok() ? text + "\n" : TrFormat("error: {}\n", "错误：{}\n", status.message()));
  }

  void Stats(const std::string&) {
    const double after_first = last_.seconds - last_.first_token_seconds;
    const double rate = last_.completion_tokens > 1 && after_first > 0
                            ? (last_.completion_tokens - 1) / after_first
                            : 0;
    Say(
        TrFormat("{}; {} messages; last answer: {} prompt tokens, first token after {}, {} tokens "
                 "at {:.1f} a second\n",
                 "{}；{} 条消息；上一个回答：提示 {} token，首 token {}，{} token，每秒 {:.1f}\n",
                 backend_.name(), messages_.size(), last_.prompt_tokens,
                 FormatSeconds(last_.first_token_seconds), last_.completion_tokens, rate));
  }

  void Show(const std::string&) {
    for (const json::value& message : messages_) {
      const json::object& object = message.get_object();
      const json::value& content = object.at("content");
      Say(fmt::format("[{}] {}\n", std::string(object.at("role").get_string()),
                      content.is_string() ? std::string(content.get_string()) : ToJson(content)));
    }
  }

  ChatBackend& backend_;
  runtime::SamplingParams sampling_;
  bool terminal_;
  json::array messages_;
  ChatReply last_;
};

const std::array<ChatSession::SlashCommand, 8> ChatSession::kCommands = {{
    {"help", "", {"this list", "显示本列表"}, &ChatSession::Help},
    {"reset", "", {"forget the conversation", "清空对话"}, &ChatSession::Reset},
    {"system",
     "TEXT",
     {"set the system message; empty: none", "设置系统消息；为空则清除"},
     &ChatSession::System},
    {"show", "", {"the conversation so far", "显示到目前为止的对话"}, &ChatSession::Show},
    {"save", "FILE", {"write the conversation as JSON", "把对话保存为 JSON"}, &ChatSession::Save},
    {"load", "FILE", {"go on with a saved conversation", "载入保存的对话"}, &ChatSession::Load},
    {"set",
     "NAME VALUE",
     {"a sampling parameter: /set temperature 0.5", "设置采样参数：/set temperature 0.5"},
     &ChatSession::Set},
    {"stats",
     "",
     {"tokens and times of the last answer", "上一个回答的 token 数与耗时"},
     &ChatSession::Stats},
}};

class ChatCommand final : public Command {
 public:
  Message summary() const override { return {"a chat in the terminal", "终端对话"}; }
  Message usage() const override {
    return {
        "[OPTIONS]\nWith the model in this process, or with --url against a server. /help lists "
        "the commands.\n",
        "[选项]\n默认在本进程内加载模型；用 --url 连接服务器。输入 /help 查看命令。\n"};
  }
  std::vector<std::string_view> sections() const override { return {"model", "engine"}; }
  std::vector<OptionTable> own_tables() override {
    return {
        {.section = "",
         .title = {"Chat", "对话"},
         .options = {{.name = "url",
                      .target = &url_,
                      .help = {"a running server, such as http://127.0.0.1:8080",
                               "运行中的服务器，如 http://127.0.0.1:8080"},
                      .value_name = "URL"},
                     {.name = "system", .target = &system_, .help = {"system message", "系统消息"}},
                     {.name = "history",
                      .target = &keep_history_,
                      .help = {"keep the lines that you type", "保存输入历史"}}}},
        SamplingTable(sampling_)};
  }

  Result<int> Run(Invocation& invocation) override {
    PT_ASSIGN(const std::unique_ptr<ChatBackend> backend, Backend(invocation.config));
    PT_ASSIGN(const runtime::SamplingParams sampling, SamplingOf(invocation, backend->defaults()));
    ChatSession session(*backend, sampling, system_);
    Say(TrFormat("{} - /help lists the commands, Ctrl-D ends\n",
                 "{} - 输入 /help 查看命令，Ctrl-D 结束\n", backend->name()));
    LineEditor editor(keep_history_ ? HistoryFile() : std::filesystem::path());
    for (std::string line;;) {
      const LineEditor::Outcome outcome = editor.Read("> ", line);
      if (outcome == LineEditor::Outcome::kEnd) return kExitOk;
      if (outcome == LineEditor::Outcome::kLine && !session.Handle(line)) return kExitOk;
    }
  }

 private:
  Result<std::unique_ptr<ChatBackend>> Backend(const Config& config) const {
    if (!url_.empty()) {
      const char* key = std::getenv("PINGTI_API_KEY");
      return ConnectChat(url_, key == nullptr ? "" : key);
    }
    PT_ASSIGN(const ChosenModel model, ChooseModel(config));
    PT_ASSIGN(std::unique_ptr<LocalEngine> engine,
              LocalEngine::Load(config, model, isatty(STDERR_FILENO) != 0));
    if (engine->bundle().chat_template == nullptr) {
      return FailedPrecondition(
          TrFormat("{} has no chat template: it completes text only (pingti run --raw)",
                   "{} 没有对话模板，只能补全文本（pingti run --raw）", engine->bundle().name));
    }
    return MakeLocalChat(std::move(engine));
  }

  std::string url_;
  std::string system_;
  bool keep_history_ = true;
  SamplingSettings sampling_;
};

}  // namespace

std::unique_ptr<Command> MakeChatCommand() { return std::make_unique<ChatCommand>(); }

}  // namespace pingti::apps
