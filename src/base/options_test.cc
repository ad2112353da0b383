#include "base/options.h"

#include <gtest/gtest.h>

#include <map>

#include "base/options_text.h"

namespace pingti {
namespace {

struct Sample {
  bool tls = false;
  bool cache = true;
  int32_t port = 8080;
  int64_t memory = 0;
  double temperature = 0.7;
  std::string kv_type = "f16";
  std::string key = "";
  std::filesystem::path model;
  std::vector<std::string> stop;
};

std::vector<OptionTable> Tables(Sample& s) {
  return {
      {.section = "server",
       .title = {"Server", "服务器"},
       .options = {{.name = "port",
                    .target = &s.port,
                    .help = {"port", "端口"},
                    .min = 0,
                    .max = 65535,
                    .letter = 'p'},
                   {.name = "tls", .target = &s.tls, .help = {"use TLS", "使用 TLS"}},
                   {.name = "api-key", .target = &s.key, .help = {"key", "密钥"}, .secret = true},
                   {.name = "stop", .target = &s.stop, .help = {"stop texts", "停止文本"}}}},
      {.section = "engine",
       .title = {"Engine", "引擎"},
       .options = {{.name = "kv-type",
                    .target = &s.kv_type,
                    .help = {"type", "类型"},
                    .choices = {"f16", "q8"}},
                   {.name = "kv-memory",
                    .target = &s.memory,
                    .help = {"memory", "内存"},
                    .min = 0,
                    .bytes = true},
                   {.name = "cache", .target = &s.cache, .help = {"cache | kept", "缓存"}},
                   {.name = "model",
                    .target = &s.model,
                    .help = {"file", "文件"},
                    .aliases = {"model_path"}}}},
      {.section = "",
       .title = {"Sampling", "采样"},
       .options = {{.name = "temperature",
                    .target = &s.temperature,
                    .help = {"t", "温度"},
                    .min = 0,
                    .max = 2}}},
  };
}

class OptionsTest : public testing::Test {
 protected:
  void SetUp() override { SetLanguage(Language::kEnglish); }
  Status Flags(std::vector<std::string> arguments) {
    Result<OptionSet::Arguments> parsed = set_.Parse(arguments);
    if (!parsed.ok()) return parsed.status();
    positionals_ = parsed->positionals;
    return set_.ApplyFlags(*parsed);
  }
  Status File(std::string_view text) {
    Result<ConfigFile> file = ParseConfigFile(text, "p.toml");
    return file.ok() ? set_.ApplyFile(*file) : file.status();
  }
  Sample s_;
  OptionSet set_{Tables(s_)};
  std::vector<std::string> positionals_;
};

TEST_F(OptionsTest, FlagsInEverySpelling) {
  ASSERT_TRUE(Flags({"--port", "1", "hello", "--tls", "--no-cache", "--kv_type=q8", "--model_path",
                     "a b", "--", "--x", "-"})
                  .ok());
  EXPECT_EQ(s_.port, 1);
  EXPECT_TRUE(s_.tls);
  EXPECT_FALSE(s_.cache);
  EXPECT_EQ(s_.kv_type, "q8");
  EXPECT_EQ(s_.model, "a b");
  EXPECT_EQ(positionals_, (std::vector<std::string>{"hello", "--x", "-"}));
  ASSERT_TRUE(Flags({"-p", "7"}).ok());
  EXPECT_EQ(s_.port, 7);
}

TEST_F(OptionsTest, ErrorsNameWantedAndFound) {
  EXPECT_EQ(Flags({"--port", "70000"}).message(),
            "--port: '70000' is not allowed: wanted an integer (0..65535)");
  EXPECT_EQ(Flags({"--port"}).message(), "--port needs a value: an integer");
  EXPECT_EQ(Flags({"--prot", "1"}).message(), "unknown option --prot; did you mean 'port'?");
  EXPECT_EQ(Flags({"--quite-else", "1"}).message(), "unknown option --quite-else");
  EXPECT_EQ(Flags({"--kv-type", "f64"}).message(),
            "--kv-type: 'f64' is not allowed: wanted text (f16, q8)");
  EXPECT_EQ(Flags({"--no-tls=true"}).message(), "--no-tls takes no value");
  EXPECT_EQ(Flags({"-z"}).message(), "unknown option -z; see --help");
  for (const char* wrong : {"nan", "inf", "1e400", "", "0.5x", "3"})
    EXPECT_FALSE(Flags({"--temperature", wrong}).ok()) << wrong;
  for (const char* wrong : {"1.5", "0x10", " 1", "99999999999"})
    EXPECT_FALSE(Flags({"--port", wrong}).ok()) << wrong;
}

TEST_F(OptionsTest, Sizes) {
  const std::map<std::string, int64_t> sizes = {
      {"4096", 4096}, {"1K", 1024}, {"1.5MiB", 3 << 19}, {"2g", 2LL << 30}, {"1TB", 1LL << 40}};
  for (const auto& [text, bytes] : sizes) {
    ASSERT_TRUE(Flags({"--kv-memory", text}).ok()) << text;
    EXPECT_EQ(s_.memory, bytes) << text;
  }
  for (const char* wrong : {"-1", "1X", "1GGG", "G", "1e30"})
    EXPECT_FALSE(Flags({"--kv-memory", wrong}).ok()) << wrong;
}

TEST_F(OptionsTest, PrecedenceFlagEnvironmentFileDefault) {
  ASSERT_TRUE(File("[server]\nport = 1\nstop = [\"a\", \"b\"]\n[engine]\nkv_type = "
                   "\"q8\"\nkv_memory = \"1G\"\n")
                  .ok());
  EXPECT_EQ(s_.port, 1);
  EXPECT_EQ(s_.memory, 1 << 30);
  const std::map<std::string, const char*> env = {
      {"PINGTI_PORT", "2"}, {"PINGTI_TEMPERATURE", "1"}, {"PINGTI_TLS", ""}};
  ASSERT_TRUE(set_.ApplyEnvironment([&](const char* name) {
                    const auto found = env.find(name);
                    return found == env.end() ? nullptr : found->second;
                  })
                  .ok());
  EXPECT_EQ(s_.port, 2);
  EXPECT_EQ(s_.temperature, 0.7);  // a table without a section has no environment names
  EXPECT_EQ(s_.stop, (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(Flags({"--port", "3", "--stop", "c", "--stop", "d"}).ok());
  EXPECT_EQ(s_.port, 3);
  EXPECT_EQ(s_.stop, (std::vector<std::string>{"c", "d"}));
  EXPECT_EQ(set_.origin(0, 0).where, "--port");
  EXPECT_EQ(set_.origin(1, 0).where, "p.toml:5");
  EXPECT_EQ(set_.origin(1, 2).source, OptionSource::kDefault);
}

TEST_F(OptionsTest, FileErrorsHavePlaceAndSuggestion) {
  EXPECT_EQ(File("[server]\nprot = 1").message(),
            "p.toml:2: unknown key 'prot' in [server]; did you mean 'port'?");
  EXPECT_EQ(File("[sever]\nport = 1").message(),
            "p.toml:2: unknown section [sever]; did you mean 'server'?");
  EXPECT_EQ(File("[server]\nport = \"1\"").message(),
            "p.toml:2: port: '1' is not allowed: wanted an integer (0..65535)");
  EXPECT_FALSE(File("[server]\nport = 1.5").ok());
  EXPECT_FALSE(File("[server]\nport = [1]").ok());
  EXPECT_FALSE(File("[server]\nport = 1979-05-27").ok());
  EXPECT_FALSE(File("[server.deep]\nport = 1").ok());
  EXPECT_FALSE(File("port = 1").ok());
  EXPECT_TRUE(File("[server\nport").message().starts_with("p.toml:1:"))
      << File("[server\nport").message();
}

TEST_F(OptionsTest, EffectiveMasksSecretsAndReadsBack) {
  ASSERT_TRUE(Flags({"--api-key", "hunter2", "--stop", "a\"b"}).ok());
  const std::string text = EffectiveText(set_);
  EXPECT_EQ(text.find("hunter2"), std::string::npos);
  EXPECT_NE(text.find("api_key = \"***\""), std::string::npos);
  EXPECT_NE(text.find("# flag: --api-key"), std::string::npos);
  Sample other;
  OptionSet again(Tables(other));
  Result<ConfigFile> file = ParseConfigFile(text, "effective");
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_TRUE(again.ApplyFile(*file).ok());
  EXPECT_EQ(other.stop, s_.stop);
  EXPECT_EQ(Flags({"--api-key="}).ok(), true);
}

TEST_F(OptionsTest, TextsInBothLanguages) {
  EXPECT_NE(
      HelpText(set_.tables()).find("-p, --port N                port (0..65535; default 8080)"),
      std::string::npos)
      << HelpText(set_.tables());
  EXPECT_NE(HelpText(set_.tables()).find("--[no-]cache"), std::string::npos);
  EXPECT_NE(OptionsMarkdown(set_.tables())
                .find("| `kv_memory` | `--kv-memory SIZE` | `PINGTI_KV_MEMORY` |"),
            std::string::npos);
  EXPECT_NE(OptionsMarkdown(set_.tables()).find("cache \\| kept"), std::string::npos);
  SetLanguage(Language::kChinese);
  EXPECT_NE(HelpText(set_.tables()).find("端口 (0..65535; 默认 8080)"), std::string::npos)
      << HelpText(set_.tables());
  EXPECT_EQ(Flags({"--prot", "1"}).message(), "未知选项 --prot；是否想写 'port'？");
}

TEST_F(OptionsTest, FlagsOfOtherCommandsAreUnknown) {
  std::vector<OptionTable> tables = Tables(s_);
  tables[0].flags = false;
  EXPECT_FALSE(OptionSet(tables).Parse({"--port", "1"}).ok());
  EXPECT_FALSE(OptionSet(tables).Parse({"-p", "1"}).ok());
}

TEST_F(OptionsTest, CompletionForThreeShells) {
  const std::vector<CompletionCommand> commands = {{"serve", "start", Tables(s_)},
                                                   {"run", "answer", {}}};
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Result<std::string> script = CompletionScript(shell, "pingti", commands);
    ASSERT_TRUE(script.ok());
    EXPECT_NE(script->find("kv-type"), std::string::npos);
    EXPECT_NE(script->find("f16 q8"), std::string::npos);
  }
  EXPECT_FALSE(CompletionScript("tcsh", "pingti", commands).ok());
}

}  // namespace
}  // namespace pingti
