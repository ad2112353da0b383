#include "net/transport.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <vector>

namespace pingti::net {

namespace asio = boost::asio;
using boost::system::error_code;
using boost::asio::ip::tcp;

class TlsContext {
 public:
  explicit TlsContext(asio::ssl::context::method method) : context(method) {}
  asio::ssl::context context;
};

namespace {

constexpr int kBacklog = 4096;
constexpr int64_t kAcceptPauseMs = 100;  // after the process has run out of descriptors

asio::io_context& Io(Loop& loop) { return *static_cast<asio::io_context*>(loop.io_context()); }

IoResult ToIoResult(const error_code& error, size_t bytes) {
  IoResult result;
  result.bytes = bytes;
  if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) {
    result.eof = true;
  } else if (error) {
    result.error = error.message();
  }
  return result;
}

std::string PeerName(const tcp::socket& socket) {
  error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return "unknown";
  return peer.address().to_string() + ":" + std::to_string(peer.port());
}

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(tcp::socket socket) : socket_(std::move(socket)), peer_(PeerName(socket_)) {}

  void Handshake(IoCallback done) override { done({}); }
  void Read(char* data, size_t size, IoCallback done) override {
    socket_.async_read_some(asio::buffer(data, size),
                            [done = std::move(done)](const error_code& error, size_t bytes) {
                              done(ToIoResult(error, bytes));
                            });
  }
  void Write(const char* data, size_t size, IoCallback done) override {
    socket_.async_write_some(asio::buffer(data, size),
                             [done = std::move(done)](const error_code& error, size_t bytes) {
                               done(ToIoResult(error, bytes));
                             });
  }
  void ShutdownSend() override {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }
  void Close() override {
    error_code ignored;
    socket_.close(ignored);
  }
  const std::string& peer() const override { return peer_; }
  tcp::socket Release() { return std::move(socket_); }

 private:
  tcp::socket socket_;
  std::string peer_;
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(tcp::socket socket, TlsContextPtr tls, asio::ssl::stream_base::handshake_type side)
      : tls_(std::move(tls)), peer_(PeerName(socket)), stream_(std::move(socket), tls_->context), side_(side) {}

  void Handshake(IoCallback done) override {
    stream_.async_handshake(
        side_, [done = std::move(done)](const error_code& error) { done(ToIoResult(error, 0)); });
  }
  void Read(char* data, size_t size, IoCallback done) override {
    stream_.async_read_some(asio::buffer(data, size),
                            [done = std::move(done)](const error_code& error, size_t bytes) {
                              done(ToIoResult(error, bytes));
                            });
  }
  void Write(const char* data, size_t size, IoCallback done) override {
    stream_.async_write_some(asio::buffer(data, size),
                             [done = std::move(done)](const error_code& error, size_t bytes) {
                               done(ToIoResult(error, bytes));
                             });
  }
  void ShutdownSend() override {
    // HTTP frames its bodies, so that nobody waits for close_notify; the socket is closed after a short linger.
  }
  void Close() override {
    error_code ignored;
    stream_.lowest_layer().close(ignored);
  }
  const std::string& peer() const override { return peer_; }
  asio::ssl::stream<tcp::socket>& stream() { return stream_; }

 private:
  TlsContextPtr tls_;
  std::string peer_;
  asio::ssl::stream<tcp::socket> stream_;
  asio::ssl::stream_base::handshake_type side_;
};

void TuneSocket(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
}

}  // namespace

Result<TlsContextPtr> MakeServerTls(const std::filesystem::path& certificate, const std::filesystem::path& key) {
  auto tls = std::make_shared<TlsContext>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(tls->context.native_handle(), TLS1_3_VERSION);
  error_code error;
  tls->context.use_certificate_chain_file(certificate.string(), error);
  if (error) {
    return InvalidArgument("TLS certificate " + certificate.string() + ": " + error.message(), "tls_certificate");
  }
  tls->context.use_private_key_file(key.string(), asio::ssl::context::pem, error);
  if (error) return InvalidArgument("TLS key " + key.string() + ": " + error.message(), "tls_key");
  if (SSL_CTX_check_private_key(tls->context.native_handle()) != 1) {
    return InvalidArgument("TLS key " + key.string() + " does not belong to " + certificate.string(), "tls_key");
  }
  return tls;
}

Result<TlsContextPtr> MakeClientTls(const std::filesystem::path& ca_file) {
  auto tls = std::make_shared<TlsContext>(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(tls->context.native_handle(), TLS1_2_VERSION);
  error_code error;
  if (ca_file.empty()) {
    tls->context.set_default_verify_paths(error);
  } else {
    tls->context.load_verify_file(ca_file.string(), error);
  }
  if (error) return InvalidArgument("certificate authorities " + ca_file.string() + ": " + error.message());
  tls->context.set_verify_mode(asio::ssl::verify_peer, error);
  return tls;
}

struct Listener::State : std::enable_shared_from_this<Listener::State> {
  State(asio::io_context& io, std::vector<Loop*> all_loops, AcceptCallback callback, TlsContextPtr context)
      : acceptor(io), loops(std::move(all_loops)), on_accept(std::move(callback)), tls(std::move(context)) {}

  void AcceptNext() {
    const size_t index = next++ % loops.size();
    acceptor.async_accept(Io(*loops[index]), [self = shared_from_this(), index](const error_code& error,
                                                                                 tcp::socket socket) {
      if (error == asio::error::operation_aborted || !self->acceptor.is_open()) return;
      if (error) return self->PauseThenAccept();
      self->Accepted(std::move(socket), index);
      self->AcceptNext();
    });
  }

  void Accepted(tcp::socket socket, size_t index) {
    TuneSocket(socket);
    TransportPtr transport;
    if (tls) {
      transport = std::make_unique<TlsTransport>(std::move(socket), tls, asio::ssl::stream_base::server);
    } else {
      transport = std::make_unique<PlainTransport>(std::move(socket));
    }
    if (loops[index]->OnThread()) return on_accept(std::move(transport), index);
    auto shared = std::make_shared<TransportPtr>(std::move(transport));
    loops[index]->Post([self = shared_from_this(), shared, index] { self->on_accept(std::move(*shared), index); });
  }

  void PauseThenAccept() {
    loops[0]->After(kAcceptPauseMs, [self = shared_from_this()] {
      if (self->acceptor.is_open()) self->AcceptNext();
    });
  }

  tcp::acceptor acceptor;
  std::vector<Loop*> loops;
  AcceptCallback on_accept;
  TlsContextPtr tls;
  size_t next = 0;
  uint16_t port = 0;
};

Result<std::unique_ptr<Listener>> Listener::Open(const Options& options, std::vector<Loop*> loops,
                                                 AcceptCallback on_accept) {
  asio::io_context& io = Io(*loops[0]);
  const std::string where = options.host + ":" + std::to_string(options.port);
  error_code error;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty()) return InvalidArgument("cannot listen on " + where + ": " + error.message(), "host");
  const tcp::endpoint endpoint = found.begin()->endpoint();
  auto state = std::make_shared<State>(io, std::move(loops), std::move(on_accept), options.tls);
  state->acceptor.open(endpoint.protocol(), error);
  if (!error) state->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) state->acceptor.bind(endpoint, error);
  if (!error) state->acceptor.listen(kBacklog, error);
  if (error) return Unavailable("cannot listen on " + where + ": " + error.message());
  state->port = state->acceptor.local_endpoint(error).port();
  state->loops[0]->Post([state] { state->AcceptNext(); });
  return std::unique_ptr<Listener>(new Listener(std::move(state)));
}

Listener::Listener(std::shared_ptr<State> state) : state_(std::move(state)) {}

Listener::~Listener() { Close(); }

uint16_t Listener::port() const { return state_->port; }

void Listener::Close() {
  state_->loops[0]->Post([state = state_] {
    error_code ignored;
    state->acceptor.close(ignored);
  });
}

void Connect(Loop& loop, const std::string& host, const std::string& port, ConnectCallback done) {
  auto resolver = std::make_shared<tcp::resolver>(Io(loop));
  auto socket = std::make_shared<tcp::socket>(Io(loop));
  const std::string where = host + ":" + port;
  resolver->async_resolve(host, port, [=](const error_code& error, const tcp::resolver::results_type& found) {
    if (error) return done(Unavailable("cannot find " + where + ": " + error.message()));
    // One address after the other: the list is short and the caller has a time limit.
    auto targets = std::make_shared<std::vector<tcp::endpoint>>();
    for (const auto& entry : found) targets->push_back(entry.endpoint());
    auto attempt = std::make_shared<std::function<void(size_t)>>();
    *attempt = [=, weak = std::weak_ptr(attempt)](size_t i) {
      auto next = weak.lock();
      socket->async_connect((*targets)[i], [=](const error_code& failure) {
        if (failure && i + 1 < targets->size()) {
          error_code ignored;
          socket->close(ignored);
          return (*next)(i + 1);
        }
        if (failure) return done(Unavailable("cannot connect to " + where + ": " + failure.message()));
        TuneSocket(*socket);
        done(TransportPtr(std::make_unique<PlainTransport>(std::move(*socket))));
      });
    };
    (*attempt)(0);
    (void)resolver;
  });
}

void StartClientTls(TransportPtr plain, const TlsContextPtr& tls, const std::string& server_name,
                    ConnectCallback done) {
  auto* transport = dynamic_cast<PlainTransport*>(plain.get());
  PT_CHECK(transport != nullptr, "TLS starts on a plain connection");
  auto upgraded = std::make_shared<std::unique_ptr<TlsTransport>>(
      std::make_unique<TlsTransport>(transport->Release(), tls, asio::ssl::stream_base::client));
  auto& stream = (*upgraded)->stream();
  SSL_set_tlsext_host_name(stream.native_handle(), server_name.c_str());
  error_code ignored;
  stream.set_verify_callback(asio::ssl::host_name_verification(server_name), ignored);
  (*upgraded)->Handshake([=](const IoResult& result) {
    if (!result.ok()) {
      return done(Unavailable("TLS with " + server_name + ": " + (result.eof ? "connection closed" : result.error)));
    }
    done(TransportPtr(std::move(*upgraded)));
  });
}

}  // namespace pingti::net
