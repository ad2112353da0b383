// Transport: a connected byte stream, plain or TLS. At most one Read and one Write under way at a time; callbacks run on
// the Loop's thread and keep their owner alive (an operation in flight when the transport is closed ends with an error).
// Everything here is called on the Loop's thread unless said otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/loop.h"

namespace pingti::net {

// TLS settings shared by connections; thread-safe after creation.
class TlsContext;
using TlsContextPtr = std::shared_ptr<TlsContext>;

// TLS 1.3 only. The error names the file and what OpenSSL says of it.
Result<TlsContextPtr> MakeServerTls(const std::filesystem::path& certificate, const std::filesystem::path& key);
// Verifies the peer against the system's authorities, or against `ca_file` where it is not empty. TLS 1.2 and later.
Result<TlsContextPtr> MakeClientTls(const std::filesystem::path& ca_file);

struct IoResult {
  size_t bytes = 0;
  bool eof = false;       // the peer has closed
  std::string error;      // empty: none
  bool ok() const { return error.empty() && !eof; }
};

class Transport {
 public:
  using IoCallback = std::function<void(IoResult)>;
  virtual ~Transport() = default;

  // TLS: the handshake; plain: calls back at once.
  virtual void Handshake(IoCallback done) = 0;
  // As many bytes as are there, at least one.
  virtual void Read(char* data, size_t size, IoCallback done) = 0;
  // Some of the bytes, at least one. `data` stays valid until the callback.
  virtual void Write(const char* data, size_t size, IoCallback done) = 0;
  virtual void ShutdownSend() = 0;
  virtual void Close() = 0;
  virtual const std::string& peer() const = 0;  // "127.0.0.1:50412"
};

using TransportPtr = std::unique_ptr<Transport>;

// Listens on host:port (0: a free port). Each connection is made on one of `loops` in turn, and `on_accept` is called
// there. Close and the destructor are thread-safe; the loops outlive it.
class Listener final {
 public:
  using AcceptCallback = std::function<void(TransportPtr transport, size_t loop_index)>;
  struct Options {
    std::string host = "127.0.0.1";
    uint16_t port = 0;
    TlsContextPtr tls = nullptr;  // null: plain
  };

  static Result<std::unique_ptr<Listener>> Open(const Options& options, std::vector<Loop*> loops,
                                                AcceptCallback on_accept);
  ~Listener();
  uint16_t port() const;
  void Close();

 private:
  struct State;
  explicit Listener(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

using ConnectCallback = std::function<void(Result<TransportPtr>)>;

// Resolves and connects, plain.
void Connect(Loop& loop, const std::string& host, const std::string& port, ConnectCallback done);
// Turns a plain connection into TLS (client side) after verifying that the peer is `server_name`.
void StartClientTls(TransportPtr plain, const TlsContextPtr& tls, const std::string& server_name, ConnectCallback done);

}  // namespace pingti::net
