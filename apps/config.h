// Config: everything that an operator may set, one struct a section of the TOML file, and its
// tables.
//
// Precedence: flag, environment, file, default. The file is --config, else PINGTI_CONFIG, else
// ${XDG_CONFIG_HOME:-~/.config}/pingti/pingti.toml where that exists.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/options.h"
#include "server/options.h"

namespace pingti::apps {

struct ModelConfig {
  std::string model;                 // a file, a folder or a name that `pingti models` lists
  std::filesystem::path models_dir;  // where `pingti pull` puts models; empty: the user's cache
  std::filesystem::path cache_dir;   // of repacked weights; empty: the user's cache
  bool repack_cache = true;
};

// What is not a field of EngineOptions as it stands.
struct EngineConfig {
  std::string kv_type = "f16";
  std::string attention = "flash";
  std::string batch_policy = "continuous";
  runtime::BatchLimitOptions batch_limit;  // of batch_policy "formula"
  int32_t threads = 0;
};

struct HubConfig {
  std::string hub = "huggingface";
  std::string huggingface_url = "https://huggingface.co";
  std::string modelscope_url = "https://modelscope.cn";
  std::string hub_url;  // instead of the chosen hub's address: a mirror
  std::string hub_token;
};

struct Config {
  ModelConfig model;
  EngineConfig engine;
  server::ServerOptions server;  // its engine part is section [engine]'s
  HubConfig hub;
  LogOptions log;
};

std::vector<OptionTable> ConfigTables(Config& config);

// ${XDG_CACHE_HOME:-~/.cache}/pingti
std::filesystem::path CacheFolder();
// The file that is read where none is named; it need not exist.
std::filesystem::path DefaultConfigFile();

// The server's options with model path, cache folder, threads and KV type filled in from the other
// sections.
Result<server::ServerOptions> MakeServerOptions(const Config& config,
                                                const std::filesystem::path& model);

}  // namespace pingti::apps
