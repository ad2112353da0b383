// pingti run: one answer on standard output; fits into a pipe.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/i18n.h"
#include "base/progress.h"
#include "command.h"
#include "interrupt.h"
#include "local_engine.h"
#include "sampling_flags.h"

namespace pingti::apps {
namespace {

constexpr size_t kInputBytesMax = 64 << 20;

Result<std::string> ReadStandardInput() {
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailedPrecondition(Tr("cannot read standard input", "无法读取标准输入"));
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kInputBytesMax)
      return ResourceExhausted(fmt::format("standard input: more than {} bytes", kInputBytesMax));
  }
}

class RunCommand final : public Command {
 public:
  Message summary() const override {
    return {"one answer on standard output", "只回答一次，写到标准输出"};
  }
  Message usage() const override {
    return {
        "[OPTIONS] [PROMPT ...]\n"
        "Without a prompt, or where one is '-', the text comes from standard input:\n"
        "  git diff | pingti run \"Describe this change:\" -\n",
        "[选项] [提示词 ...]\n"
        "没有提示词，或提示词为 '-' 时，从标准输入读取：\n"
        "  git diff | pingti run \"描述这个改动：\" -\n"};
  }
  std::vector<std::string_view> sections() const override { return {"model", "engine"}; }
  std::vector<OptionTable> own_tables() override {
    return {
        {.section = "",
         .title = {"Prompt", "提示"},
         .options = {{.name = "system", .target = &system_, .help = {"system message", "系统消息"}},
                     {.name = "raw",
                      .target = &raw_,
                      .help = {"the text as it is, without the chat template",
                               "不使用对话模板，原样输入"}},
                     {.name = "stats",
                      .target = &stats_,
                      .help = {"times and tokens on standard error",
                               "在标准错误输出耗时与 token 数"}}}},
        SamplingTable(sampling_)};
  }

  Result<int> Run(Invocation& invocation) override {
    PT_ASSIGN(const std::string prompt, PromptOf(invocation.positionals));
    if (prompt.empty()) return UsageError(Tr("run: the prompt is empty", "run：提示词为空"));
    PT_ASSIGN(const ChosenModel model, ChooseModel(invocation.config));
    std::atomic<bool>& interrupted = InterruptFlag();
    PT_ASSIGN(const std::unique_ptr<LocalEngine> engine,
              LocalEngine::Load(invocation.config, model, isatty(STDERR_FILENO) != 0));
    PT_ASSIGN(const runtime::SamplingParams sampling,
              SamplingOf(invocation, engine->bundle().defaults));
    PT_ASSIGN(std::vector<int32_t> tokens, Encode(*engine, prompt));
    const auto print = [](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    };
    PT_ASSIGN(const Reply reply,
              engine->Generate(std::move(tokens), sampling, print, &interrupted));
    if (!reply.text.ends_with('\n')) print("\n");
    if (stats_) PrintStats(*engine, reply);
    return reply.finish == runtime::FinishReason::kCancelled ? kExitInterrupted : kExitOk;
  }

 private:
  static Result<std::string> PromptOf(const std::vector<std::string>& words) {
    if (words.empty()) {
      if (isatty(STDIN_FILENO) != 0)
        return UsageError(Tr("run: give a prompt, or text on standard input",
                             "run：请给出提示词，或从标准输入传入文本"));
      return ReadStandardInput();
    }
    std::string prompt;
    for (const std::string& word : words) {
      std::string text = word;
      if (word == "-") {
        PT_ASSIGN(text, ReadStandardInput());
      }
      prompt += (prompt.empty() ? "" : "\n") + text;
    }
    return prompt;
  }

  Result<std::vector<int32_t>> Encode(const LocalEngine& engine, const std::string& prompt) const {
    if (raw_) return engine.EncodeText(prompt);
    json::array messages;
    if (!system_.empty())
      messages.push_back(json::object{{"role", "system"}, {"content", system_}});
    messages.push_back(json::object{{"role", "user"}, {"content", prompt}});
    return engine.EncodeChat(messages);
  }

  static void PrintStats(const LocalEngine& engine, const Reply& reply) {
    std::fprintf(stderr, "%s\n",
                 TrFormat("load {}, {} prompt tokens, first token after {}, {} tokens at {:.1f} a "
                          "second, seed {}",
                          "加载 {}，提示 {} token，首 token {}，{} token，每秒 {:.1f}，种子 {}",
                          FormatSeconds(engine.load_seconds()), reply.usage.prompt_tokens,
                          FormatSeconds(reply.first_token_seconds), reply.usage.completion_tokens,
                          reply.decode_rate(), reply.seed)
                     .c_str());
  }

  std::string system_;
  bool raw_ = false;
  bool stats_ = false;
  SamplingSettings sampling_;
};

}  // namespace

std::unique_ptr<Command> MakeRunCommand() { return std::make_unique<RunCommand>(); }

}  // namespace pingti::apps
