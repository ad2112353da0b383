// pingti keys: makes, lists and revokes API keys in the file that the server reads.
#include <fmt/format.h>

#include <cstdio>
#include <ctime>

#include "base/i18n.h"
#include "base/json.h"
#include "base/options_text.h"
#include "base/progress.h"
#include "command.h"
#include "server/key_file.h"

namespace pingti::apps {
namespace {

std::string Padded(const std::string& text, int width) {
  return text + std::string(static_cast<size_t>(std::max(1, width - DisplayWidth(text))), ' ');
}

std::string Joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

class KeysCommand final : public Command {
 public:
  Message summary() const override {
    return {"make, list and revoke API keys", "创建、列出和吊销 API 密钥"};
  }
  Message usage() const override {
    return {
        "create NAME | list | revoke NAME\n"
        "create prints the new key once; the file keeps only its SHA-256. A running server reads "
        "the "
        "file again within\n"
        "two seconds; answers under way are not touched. Scopes: chat completions summarize "
        "tokenize metrics; none named: all.\n",
        "create 名称 | list | revoke 名称\n"
        "create 只显示一次新密钥；文件中仅保存其 SHA-256。运行中的服务会在两秒内重新读取该文件，\n"
        "不影响进行中的回答。权限范围：chat completions summarize tokenize "
        "metrics；不指定则为全部。\n"};
  }
  std::vector<OptionTable> own_tables() override {
    return {{.section = "",
             .title = {"Keys", "密钥"},
             .options = {
                 {.name = "file",
                  .target = &file_,
                  .help = {"the key file (default: the setting api_key_file)",
                           "密钥文件（默认：配置项 api_key_file）"}},
                 {.name = "scopes",
                  .target = &scopes_,
                  .help = {"what the key may do, with commas", "密钥的权限范围，用逗号分隔"}},
                 {.name = "expires",
                  .target = &expires_,
                  .help = {"30d, 12h, or a date (UTC) as 2026-12-31",
                           "有效期：30d、12h 或日期（UTC）如 2026-12-31"}},
                 {.name = "requests-per-minute",
                  .target = &entry_.requests_per_minute,
                  .help = {"0: unlimited", "0 表示不限"},
                  .min = 0},
                 {.name = "tokens-per-day",
                  .target = &entry_.tokens_per_day,
                  .help = {"of prompts and answers, a day of UTC; 0: unlimited",
                           "每日（UTC）提示词与回答的 token 总数；0 表示不限"},
                  .min = 0},
                 {.name = "json", .target = &json_, .help = {"list as JSON", "以 JSON 列出"}}}}};
  }

  Result<int> Run(Invocation& invocation) override {
    const std::vector<std::string>& words = invocation.positionals;
    if (file_.empty()) file_ = invocation.config.server.api_key_file;
    if (file_.empty()) {
      return UsageError(
          Tr("keys: name the key file: --file, PINGTI_API_KEY_FILE or api_key_file in the settings",
             "keys：请指定密钥文件：--file、PINGTI_API_KEY_FILE 或配置项 api_key_file"));
    }
    if (words.size() == 1 && words[0] == "list") return List();
    if (words.size() == 2 && words[0] == "create") return Create(words[1]);
    if (words.size() == 2 && words[0] == "revoke") return Revoke(words[1]);
    return UsageError(
        Tr("keys: create NAME, list, or revoke NAME", "keys：create 名称、list 或 revoke 名称"));
  }

 private:
  Result<int> Create(const std::string& name) {
    entry_.name = name;
    if (!scopes_.empty()) {
      PT_ASSIGN(entry_.scopes, server::ParseScopes(scopes_));
    }
    if (!expires_.empty()) {
      PT_ASSIGN(entry_.expires_s, server::ParseExpiry(expires_, std::time(nullptr)));
    }
    const server::NewKey key = server::MakeKey();
    entry_.sum = server::SumOfKey(key.text);
    entry_.hint = key.hint;
    PT_TRY(server::AddKey(file_, entry_));
    std::fprintf(
        stderr, "%s\n",
        TrFormat("The key of '{}', shown this once (only its sum is in {}):",
                 "“{}” 的密钥，仅显示这一次（{} 中只保存其校验和）：", name, file_.string())
            .c_str());
    std::printf("%s\n", key.text.c_str());
    return kExitOk;
  }

  Result<int> Revoke(const std::string& name) {
    PT_TRY(server::RemoveKey(file_, name));
    std::printf("%s\n", TrFormat("'{}' is revoked", "“{}” 已吊销", name).c_str());
    return kExitOk;
  }

  Result<int> List() {
    PT_ASSIGN(const std::vector<server::KeyEntry> entries, server::ReadKeyFile(file_));
    std::string out;
    if (json_) {
      for (const server::KeyEntry& entry : entries) out += ToJson(JsonOf(entry)) + "\n";
    } else {
      out = TableOf(entries);
    }
    std::fwrite(out.data(), 1, out.size(), stdout);
    return kExitOk;
  }

  static json::object JsonOf(const server::KeyEntry& entry) {
    return {{"name", entry.name},
            {"hint", entry.hint},
            {"scopes", json::array(entry.scopes.begin(), entry.scopes.end())},
            {"expires", entry.expires_s > 0 ? json::value(server::FormatUtc(entry.expires_s))
                                            : json::value(nullptr)},
            {"requests_per_minute", entry.requests_per_minute},
            {"tokens_per_day", entry.tokens_per_day}};
  }

  static std::string TableOf(const std::vector<server::KeyEntry>& entries) {
    size_t width = 8;
    for (const server::KeyEntry& entry : entries) width = std::max(width, entry.name.size() + 2);
    const int name_width = static_cast<int>(width);
    const auto number = [](int64_t value) {
      return value > 0 ? std::to_string(value) : std::string("-");
    };
    std::string out = Padded(Tr("NAME", "名称"), name_width) + Padded(Tr("KEY", "密钥"), 12) +
                      Padded(Tr("EXPIRES", "到期"), 22) +
                      Padded(Tr("REQUESTS/MIN", "请求/分"), 14) +
                      Padded(Tr("TOKENS/DAY", "TOKEN/日"), 14) + Tr("SCOPES", "权限") + "\n";
    const int64_t now = std::time(nullptr);
    for (const server::KeyEntry& entry : entries) {
      std::string expires = entry.expires_s > 0 ? server::FormatUtc(entry.expires_s) : "-";
      if (entry.expires_s > 0 && entry.expires_s <= now) expires = Tr("expired", "已过期");
      out += Padded(entry.name, name_width) +
             Padded(entry.hint.empty() ? "?" : entry.hint + "...", 12) + Padded(expires, 22) +
             Padded(number(entry.requests_per_minute), 14) +
             Padded(number(entry.tokens_per_day), 14) +
             (entry.scopes.empty() ? Tr("all", "全部") : Joined(entry.scopes)) + "\n";
    }
    return out;
  }

  std::filesystem::path file_;
  std::string scopes_;
  std::string expires_;
  server::KeyEntry entry_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeKeysCommand() { return std::make_unique<KeysCommand>(); }

}  // namespace pingti::apps
