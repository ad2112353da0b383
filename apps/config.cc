#include "config.h"

#include <cstdlib>

namespace pingti::apps {
namespace {

OptionTable ModelTable(ModelConfig& model) {
  return {.section = "model",
          .title = {"Model", "模型"},
          .options = {
              {.name = "model",
               .target = &model.model,
               .help = {"GGUF file, folder, or a name listed by `pingti models`",
                        "GGUF 文件、文件夹，或 `pingti models` 列出的名称"},
               .value_name = "MODEL",
               .letter = 'm'},
              {.name = "models-dir",
               .target = &model.models_dir,
               .help = {"folder of pulled models (default: the user's cache)",
                        "模型文件夹（默认：用户缓存目录）"}},
              {.name = "cache-dir",
               .target = &model.cache_dir,
               .help = {"folder of repacked weights, which make later starts fast (default: the "
                        "user's cache)",
                        "重排权重的缓存目录，使后续启动更快（默认：用户缓存目录）"}},
              {.name = "repack-cache",
               .target = &model.repack_cache,
               .help = {"keep repacked weights on disk", "把重排后的权重保存在磁盘上"}},
          }};
}

// What bounds a step beside its tokens: runtime/step_pace.h, runtime/batch_limit.h.
std::vector<Option> StepPolicy(EngineConfig& engine, runtime::EngineOptions& options) {
  return {
      {.name = "step-stretch",
       .target = &options.step_stretch,
       .help = {"a step that answers and prompts share takes at most so many times as long as "
                "one of the answers alone: less for steadier streams, more for earlier first "
                "tokens",
                "同时含解码与提示词的一步，最多是纯解码一步时长的若干倍：越小输出越平稳，越大首个 "
                "token 越早"},
       .min = 1,
       .max = 1000},
      {.name = "batch-policy",
       .target = &engine.batch_policy,
       .help = {"continuous: as many sequences as blocks and max_batch_size allow; formula: also "
                "at most min(batch_base_size * (1 + waiting / 10), (free memory - "
                "batch_memory_reserve) / batch_memory_per_sample)",
                "continuous：以缓存块和 max_batch_size 为限；formula：另以 min(batch_base_size * "
                "(1 + 等待数 / 10), (空闲内存 - batch_memory_reserve) / "
                "batch_memory_per_sample) 为限"},
       .choices = {"continuous", "formula"}},
      {.name = "batch-base-size",
       .target = &engine.batch_limit.base_size,
       .help = {"of the formula", "公式的基础批大小"},
       .min = 1,
       .max = 4096},
      {.name = "batch-memory-per-sample",
       .target = &engine.batch_limit.memory_per_sample_bytes,
       .help = {"of the formula", "公式中每个序列的内存"},
       .min = 1,
       .bytes = true},
      {.name = "batch-memory-reserve",
       .target = &engine.batch_limit.reserve_bytes,
       .help = {"of the formula: memory that stays free", "公式中保留的内存"},
       .min = 0,
       .bytes = true},
  };
}

OptionTable EngineTable(EngineConfig& engine, runtime::EngineOptions& options) {
  OptionTable table = {
      .section = "engine",
      .title = {"Engine", "引擎"},
      .options = {
          {.name = "threads",
           .target = &engine.threads,
           .help = {"compute threads; 0: one for each CPU", "计算线程数；0 表示每个 CPU 一个"},
           .min = 0,
           .max = 1024,
           .letter = 't'},
          {.name = "context-length",
           .target = &options.context_length,
           .help = {"tokens a sequence may have; 0: the model's own",
                    "单个序列的最大 token 数；0 表示模型自身的值"},
           .min = 0,
           .max = 16 << 20,
           .aliases = {"ctx-size", "max-model-len"},
           .letter = 'c'},
          {.name = "kv-type",
           .target = &engine.kv_type,
           .help = {"number format of the KV cache", "KV 缓存的数值格式"},
           .choices = {"f16", "bf16", "q8"}},
          {.name = "kv-memory",
           .target = &options.kv_bytes,
           .help = {"memory of the KV cache; 0: from free memory",
                    "KV 缓存的内存；0 表示按空闲内存决定"},
           .min = 0,
           .bytes = true},
          {.name = "max-batch-size",
           .target = &options.sequences_max,
           .help = {"sequences that decode in one step", "一步中同时解码的序列数"},
           .min = 1,
           .max = 4096,
           .aliases = {"max-num-seqs"}},
          {.name = "batch-tokens",
           .target = &options.batch_tokens_max,
           .help = {"tokens of one step, decode and prefill together",
                    "一步中的 token 总数（解码与预填充合计）"},
           .min = 1,
           .max = 1 << 20,
           .aliases = {"max-num-batched-tokens"}},
          {.name = "prefill-chunk",
           .target = &options.prefill_chunk_max,
           .help = {"tokens of one prompt in one step", "一步中单个提示词处理的 token 数"},
           .min = 1,
           .max = 1 << 20},
          {.name = "attention",
           .target = &engine.attention,
           .help = {"flash: in tiles with online softmax; naive: all scores in memory, to compare",
                    "flash：分块并在线 softmax；naive：保存全部得分，用于对比"},
           .choices = {"flash", "naive"},
           .aliases = {"attn"}},
          {.name = "queue",
           .target = &options.queue_max,
           .help = {"waiting requests; more are answered with 429", "等待队列长度；超出则返回 429"},
           .min = 1,
           .max = 1 << 20},
          {.name = "prefix-cache",
           .target = &options.prefix_cache,
           .help = {"reuse the KV of common prefixes of all requests", "跨请求复用公共前缀的 KV"}},
      }};
  for (const Option& option : StepPolicy(engine, options)) table.options.push_back(option);
  return table;
}

OptionTable ServerTable(server::ServerOptions& options) {
  return {.section = "server",
          .title = {"Server", "服务器"},
          .options = {
              {.name = "host",
               .target = &options.host,
               .help = {"address to listen on", "监听地址"},
               .value_name = "ADDRESS"},
              {.name = "port",
               .target = &options.port,
               .help = {"0: any free port", "0 表示任意空闲端口"},
               .min = 0,
               .max = 65535,
               .letter = 'p'},
              {.name = "served-model-name",
               .target = &options.served_names,
               .help = {"name that clients send; may be repeated (default: the model's own)",
                        "客户端使用的模型名，可重复（默认：模型自身的名称）"},
               .value_name = "NAME",
               .aliases = {"alias"}},
              {.name = "tls-cert",
               .target = &options.tls_certificate,
               .help = {"certificate chain (PEM); with --tls-key: HTTPS, TLS 1.3",
                        "证书链（PEM）；与 --tls-key 一起启用 HTTPS（TLS 1.3）"}},
              {.name = "tls-key",
               .target = &options.tls_key,
               .help = {"private key (PEM)", "私钥（PEM）"}},
              {.name = "cors-origin",
               .target = &options.cors_origins,
               .help = {"origin that browsers may call from, or *; may be repeated",
                        "允许跨域调用的来源，或 *；可重复"},
               .value_name = "ORIGIN"},
              {.name = "api-key-file",
               .target = &options.api_key_file,
               .help = {"API keys, as `pingti keys` writes them; read again whenever it changes",
                        "API 密钥文件，由 `pingti keys` 维护；修改后自动重新读取"}},
              {.name = "key-usage-file",
               .target = &options.key_usage_file,
               .help = {"what keys have used, kept over restarts (default: the key file's name "
                        "and .usage)",
                        "密钥用量，重启后保留（默认：密钥文件名加 .usage）"}},
              {.name = "api-key",
               .target = &options.api_keys,
               .help = {"an API key; may be repeated (a file keeps it out of `ps`)",
                        "API 密钥，可重复（用文件可避免出现在 ps 中）"},
               .value_name = "KEY",
               .secret = true},
              {.name = "share-prefix-cache",
               .target = &options.share_prefix_cache,
               .help = {"prompts of different keys may share cached blocks",
                        "不同密钥的提示词可共享缓存块"}},
              {.name = "access-log",
               .target = &options.access_log,
               .help = {"JSON lines, one a request: a file, or - for standard output",
                        "访问日志（JSON 行）：文件，或 - 表示标准输出"},
               .value_name = "FILE"},
          }};
}

OptionTable LimitsTable(server::ServerOptions& options) {
  const auto milliseconds = [](const char* name, int64_t* target, Message help) {
    return Option{.name = name,
                  .target = target,
                  .help = help,
                  .value_name = "MS",
                  .min = 1,
                  .max = 86'400'000};
  };
  return {.section = "limits",
          .title = {"Limits", "限制"},
          .options = {
              {.name = "connections",
               .target = &options.connections_max,
               .help = {"open connections", "打开的连接数"},
               .min = 1,
               .max = 1 << 20},
              {.name = "header-bytes",
               .target = &options.header_bytes_max,
               .help = {"headers of one request", "单个请求的头部大小"},
               .min = 1024,
               .max = 1 << 24,
               .bytes = true},
              {.name = "body-bytes",
               .target = &options.body_bytes_max,
               .help = {"body of one request", "单个请求的正文大小"},
               .min = 1024,
               .max = 1LL << 32,
               .bytes = true},
              milliseconds("header-timeout-ms", &options.header_timeout_ms,
                           {"from the first byte to the end of the headers", "从首字节到头部结束"}),
              milliseconds("body-timeout-ms", &options.body_timeout_ms,
                           {"until the body is complete", "直到正文接收完毕"}),
              milliseconds("idle-timeout-ms", &options.idle_timeout_ms,
                           {"of a kept-alive connection", "空闲连接的保持时间"}),
              milliseconds("write-timeout-ms", &options.write_timeout_ms,
                           {"a client that reads nothing for so long is gone",
                            "客户端停止读取多久后视为断开"}),
              milliseconds("drain-timeout-ms", &options.drain_timeout_ms,
                           {"after SIGTERM: how long answers under way may take",
                            "SIGTERM 后允许进行中的回答持续多久"}),
              {.name = "stall-seconds",
               .target = &options.stall_seconds,
               .help = {"/ready turns red when the engine stands for so long",
                        "引擎停滞多久后 /ready 变红"},
               .min = 1,
               .max = 3600},
              {.name = "choices",
               .target = &options.choices_max,
               .help = {"n and best_of of one request", "单个请求的 n 与 best_of"},
               .min = 1,
               .max = 1024},
              {.name = "io-threads",
               .target = &options.io_threads,
               .help = {"threads for sockets", "网络线程数"},
               .min = 1,
               .max = 64},
              {.name = "request-threads",
               .target = &options.request_threads,
               .help = {"threads that parse, render templates and tokenise",
                        "解析、渲染模板与分词的线程数"},
               .min = 1,
               .max = 64},
          }};
}

OptionTable HubTable(HubConfig& hub) {
  return {
      .section = "hub",
      .title = {"Model hub", "模型仓库"},
      .options = {
          {.name = "hub",
           .target = &hub.hub,
           .help = {"layout of the hub", "仓库类型"},
           .choices = {"huggingface", "modelscope"}},
          {.name = "hub-url",
           .target = &hub.hub_url,
           .help = {"a mirror's address, instead of the hub's own", "镜像地址，代替仓库自身的地址"},
           .value_name = "URL"},
          {.name = "huggingface-url",
           .target = &hub.huggingface_url,
           .help = {"address of Hugging Face", "Hugging Face 的地址"},
           .value_name = "URL"},
          {.name = "modelscope-url",
           .target = &hub.modelscope_url,
           .help = {"address of ModelScope", "ModelScope（魔搭）的地址"},
           .value_name = "URL"},
          {.name = "hub-token",
           .target = &hub.hub_token,
           .help = {"access token for gated models", "受限模型的访问令牌"},
           .value_name = "TOKEN",
           .secret = true},
      }};
}

OptionTable LogTable(LogOptions& log) {
  return {.section = "log",
          .title = {"Log", "日志"},
          .options = {
              {.name = "log-level",
               .target = &log.level,
               .help = {"least level that is written", "写出的最低级别"},
               .choices = {"debug", "info", "warning", "error", "off"}},
              {.name = "log-form",
               .target = &log.form,
               .help = {"auto: text on a terminal, else JSON lines",
                        "auto：终端上为文本，否则为 JSON 行"},
               .choices = {"auto", "text", "json"}},
          }};
}

std::filesystem::path HomeFolder(const char* variable, const char* beside_home) {
  if (const char* folder = std::getenv(variable); folder != nullptr && *folder != '\0')
    return folder;
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "/" : home) / beside_home;
}

}  // namespace

std::vector<OptionTable> ConfigTables(Config& config) {
  return {ModelTable(config.model),   EngineTable(config.engine, config.server.engine),
          ServerTable(config.server), LimitsTable(config.server),
          HubTable(config.hub),       LogTable(config.log)};
}

std::filesystem::path CacheFolder() { return HomeFolder("XDG_CACHE_HOME", ".cache") / "pingti"; }

std::filesystem::path DefaultConfigFile() {
  return HomeFolder("XDG_CONFIG_HOME", ".config") / "pingti" / "pingti.toml";
}

Result<server::ServerOptions> MakeServerOptions(const Config& config,
                                                const std::filesystem::path& model) {
  server::ServerOptions options = config.server;
  options.model = model;
  options.threads = config.engine.threads;
  PT_ASSIGN(options.engine.kv_type, ops::ParseKvType(config.engine.kv_type));
  if (config.engine.attention == "naive") options.engine.attention = ops::AttentionKind::kNaive;
  if (config.engine.batch_policy == "formula")
    options.engine.maybe_batch_limit = config.engine.batch_limit;
  if (config.model.repack_cache) {
    options.repack_cache_dir =
        config.model.cache_dir.empty() ? CacheFolder() / "repacked" : config.model.cache_dir;
  }
  return options;
}

}  // namespace pingti::apps
