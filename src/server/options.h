// ServerOptions: everything that an operator may set of a server, with its default. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/engine.h"

namespace pingti::server {

struct ServerOptions {
  // The model.
  std::filesystem::path model;                // a GGUF file or a folder
  std::vector<std::string> served_names;      // names that clients may send; the first is shown; empty: the model's own
  std::filesystem::path repack_cache_dir;     // where repacked weights are kept; empty: not kept
  runtime::EngineOptions engine;
  int threads = 0;                            // compute threads; 0: one for each CPU of this process

  // The address.
  std::string host = "127.0.0.1";
  uint16_t port = 8080;                       // 0: any free port
  std::filesystem::path tls_certificate;      // PEM; with tls_key: HTTPS, TLS 1.3 only
  std::filesystem::path tls_key;
  std::vector<std::string> cors_origins;      // "https://app.example" or "*"; empty: no CORS headers

  // Who may ask; a line as in server/key_entry.h.
  std::filesystem::path api_key_file;         // read again whenever it changes
  std::filesystem::path key_usage_file;       // what keys have used, kept over restarts; empty: beside the key file
  std::vector<std::string> api_keys;          // the same lines, from the environment or flags
  bool share_prefix_cache = false;            // prompts of different keys may share cached blocks

  // Limits.
  int io_threads = 1;                         // sockets, SSE
  int request_threads = 1;                    // parsing, templates, tokenising
  int32_t connections_max = 4096;
  size_t header_bytes_max = 32 << 10;
  size_t body_bytes_max = 16 << 20;
  int64_t header_timeout_ms = 15'000;         // from the first byte to the end of the headers
  int64_t body_timeout_ms = 60'000;
  int64_t idle_timeout_ms = 75'000;           // of a kept-alive connection
  int64_t write_timeout_ms = 60'000;          // a client that reads nothing for so long is gone
  int64_t drain_timeout_ms = 600'000;         // after SIGTERM: how long answers under way may take
  int64_t stall_seconds = 30;                 // /ready turns red when the engine's loop stands for so long
  int32_t choices_max = 128;                  // n and best_of of one request

  int64_t heartbeat_ms = 10'000;              // a comment in a stream that is silent for so long; 0: none
  std::string version = "0.1.0";              // shown by /version
  std::string access_log;                     // "": none, "-": standard output, else a file; JSON lines
};

}  // namespace pingti::server
