#include "server/server.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <thread>

#include "base/log.h"
#include "net/http_server.h"
#include "server/engine_metrics.h"
#include "server/front.h"
#include "server/local_backend.h"
#include "server/serving.h"

namespace pingti::server {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kSendTimeoutMs = 5'000;  // for the last bytes of answers that are complete

double Seconds(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }

// Each connection is a descriptor; the soft limit is often 1,024.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// "Q4_1 (most), F32": types by bytes, the largest first.
std::string WeightTypes(const formats::ModelFile& file) {
  std::map<std::string, size_t> bytes;
  for (const TensorView& tensor : file.tensors()) bytes[std::string(Info(tensor.type).name)] += tensor.bytes.size();
  std::vector<std::pair<size_t, std::string>> sorted;
  for (const auto& [name, size] : bytes) sorted.emplace_back(size, name);
  std::sort(sorted.rbegin(), sorted.rend());
  std::string out;
  for (const auto& [size, name] : sorted) out += (out.empty() ? "" : ", ") + name;
  return out;
}

net::HttpServerOptions HttpOptions(const ServerOptions& options, net::TlsContextPtr tls) {
  net::HttpServerOptions http;
  http.host = options.host;
  http.port = options.port;
  http.tls = std::move(tls);
  http.loops = std::max(1, options.io_threads);
  http.connections_max = options.connections_max;
  http.header_bytes_max = options.header_bytes_max;
  http.body_bytes_max = options.body_bytes_max;
  http.header_timeout_ms = options.header_timeout_ms;
  http.body_timeout_ms = options.body_timeout_ms;
  http.idle_timeout_ms = options.idle_timeout_ms;
  http.write_timeout_ms = options.write_timeout_ms;
  return http;
}

std::string UrlOf(const ServerOptions& options, uint16_t port) {
  const std::string host = options.host.find(':') == std::string::npos ? options.host : "[" + options.host + "]";
  return (options.tls_certificate.empty() ? "http://" : "https://") + host + ":" + std::to_string(port);
}

Result<net::TlsContextPtr> MakeTls(const ServerOptions& options) {
  if (options.tls_certificate.empty() && options.tls_key.empty()) return net::TlsContextPtr();
  if (options.tls_certificate.empty() || options.tls_key.empty()) {
    return InvalidArgument("TLS wants both a certificate and a key", "tls_key");
  }
  return net::MakeServerTls(options.tls_certificate, options.tls_key);
}

}  // namespace

// Members in the order of their lives: those that answer go before those that carry the answers.
struct Server::State {
  ServerOptions options;
  ReadyInfo info;
  std::unique_ptr<ThreadPool> compute;
  std::unique_ptr<ops::Context> ops_context;
  std::unique_ptr<formats::ModelFile> file;       // the model's tensors borrow from it
  observe::Metrics metrics;
  EngineMetrics engine_metrics{metrics};
  std::unique_ptr<ApiKeys> keys;
  std::unique_ptr<observe::AccessLog> access_log;
  std::unique_ptr<net::HttpServer> http;
  std::unique_ptr<runtime::Engine> engine;
  std::unique_ptr<LocalBackend> backend;
  std::unique_ptr<endpoints::Context> context;
  std::shared_ptr<RequestPool> pool;
  std::unique_ptr<Front> front;

  Status StartEngine(runtime::Bundle bundle);
  Status Listen();
  void Stop();
};

Status Server::State::StartEngine(runtime::Bundle bundle) {
  file = std::move(bundle.file);
  LocalModel model{.tokenizer = bundle.tokenizer,
                   .chat_template = bundle.chat_template,
                   .defaults = bundle.defaults,
                   .weight_types = file ? WeightTypes(*file) : "",
                   .weight_bytes = bundle.model->weight_bytes()};
  info.chat = bundle.chat_template != nullptr;
  info.architecture = bundle.model->shape().architecture;
  info.weight_bytes = model.weight_bytes;
  info.threads = compute->size();
  info.kernel_level = std::string(kernels::IsaLevelName(ops_context->kernels.level));
  std::vector<std::string> names = options.served_names;
  if (names.empty()) names.push_back(bundle.name.empty() ? "model" : bundle.name);
  info.model = names.front();
  PT_ASSIGN(engine, runtime::Engine::Start(std::move(bundle.model), bundle.tokenizer, *ops_context, options.engine,
                                           &engine_metrics));
  info.context_length = engine->options().context_length;
  backend = std::make_unique<LocalBackend>(*engine, std::move(model), metrics,
                                           LocalBackendOptions{.names = std::move(names),
                                                               .share_prefix_cache = options.share_prefix_cache,
                                                               .stall_seconds = options.stall_seconds,
                                                               .kernel_level = info.kernel_level,
                                                               .threads = info.threads});
  return Status::Ok();
}

Status Server::State::Listen() {
  RaiseDescriptorLimit();
  PT_ASSIGN(keys, ApiKeys::Open({.file = options.api_key_file,
                                 .lines = options.api_keys,
                                 .usage_file = options.key_usage_file},
                                metrics));
  info.needs_key = keys->required();
  if (!options.access_log.empty()) {
    PT_ASSIGN(access_log, observe::AccessLog::Open(options.access_log));
  }
  PT_ASSIGN(net::TlsContextPtr tls, MakeTls(options));
  context = std::make_unique<endpoints::Context>(
      endpoints::Context{.backend = *backend,
                         .metrics = metrics,
                         .limits = {.choices_max = options.choices_max},
                         .version = options.version,
                         .key_usage = keys->required() ? [raw = keys.get()] { return raw->Describe(); }
                                                       : std::function<json::object()>(),
                         .heartbeat_ms = options.heartbeat_ms});
  pool = std::make_shared<RequestPool>(RequestPool::Options{
      .threads = std::max(1, options.request_threads), .queue_max = static_cast<size_t>(options.connections_max)});
  context->run_heavy = [weak = std::weak_ptr(pool)](std::function<void()> task) {
    const auto strong = weak.lock();  // events may come while the server stops
    return strong && strong->Submit(std::move(task));
  };
  front = std::make_unique<Front>(options, *keys, *context, *pool, access_log.get());
  PT_ASSIGN(http, net::HttpServer::Start(
                      HttpOptions(options, std::move(tls)),
                      [raw = front.get()](std::shared_ptr<net::Exchange> exchange) { raw->Handle(std::move(exchange)); },
                      [](int32_t status, const std::string& why) { return endpoints::HttpErrorResponse(status, why); }));
  info.url = UrlOf(options, http->port());
  return Status::Ok();
}

// The clients first (their requests are cancelled), then the threads that answer, last the sockets that carry answers.
void Server::State::Stop() {
  if (http) http->CloseAll();
  pool.reset();
  engine.reset();
  http.reset();
  front.reset();
}

Result<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, const RunHooks& hooks) {
  const auto began = Clock::now();
  auto state = std::make_unique<State>();
  state->options = options;
  PT_ASSIGN(const kernels::KernelTable* table, kernels::ProcessTable());
  state->compute = std::make_unique<ThreadPool>(ThreadPool::Options{.threads = options.threads});
  state->ops_context = std::make_unique<ops::Context>(ops::Context{*state->compute, *table});
  models::LoadOptions load;
  load.rows_max = std::max(load.rows_max, options.engine.batch_tokens_max);
  load.repack_cache_dir = options.repack_cache_dir;
  load.on_progress = hooks.on_load_progress;
  load.on_warning = [](const std::string& message) { LogWarning(message); };
  PT_ASSIGN(runtime::Bundle bundle, runtime::LoadBundle(options.model, *state->ops_context, load));
  PT_TRY(state->StartEngine(std::move(bundle)));
  PT_TRY(state->Listen());
  state->info.load_seconds = Seconds(began);
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Result<std::unique_ptr<Server>> StartWithBundle(const ServerOptions& options, runtime::Bundle bundle) {
  auto state = std::make_unique<Server::State>();
  state->options = options;
  PT_ASSIGN(const kernels::KernelTable* table, kernels::ProcessTable());
  state->compute = std::make_unique<ThreadPool>(ThreadPool::Options{.threads = 1});
  state->ops_context = std::make_unique<ops::Context>(ops::Context{*state->compute, *table});
  PT_TRY(state->StartEngine(std::move(bundle)));
  PT_TRY(state->Listen());
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() { state_->Stop(); }

const ReadyInfo& Server::info() const { return state_->info; }

uint16_t Server::port() const { return state_->http->port(); }

int32_t Server::answers_under_way() const { return state_->backend->under_way(); }

bool Server::Drain() {
  state_->front->SetDraining();
  state_->backend->SetDraining();
  const bool done = state_->engine->Drain(state_->options.drain_timeout_ms);
  // The engine is done; its last events may still be on their way to the sockets.
  const bool sent = state_->http->WaitUntilAnswered(kSendTimeoutMs);
  state_->http->CloseAfterAnswers();
  return sent && done;
}

void Server::StopNow() { state_->http->CloseAll(); }

Status Run(const ServerOptions& options, const RunHooks& hooks) {
  // Before any thread is made, so that all inherit it: signals come to this thread's wait only.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  PT_ASSIGN(std::unique_ptr<Server> server, Server::Start(options, hooks));
  if (hooks.on_ready) hooks.on_ready(server->info());
  int signal = 0;
  sigwait(&signals, &signal);

  if (hooks.on_drain) hooks.on_drain(server->answers_under_way());
  std::atomic<bool> drained{false};
  std::thread drain([&] {
    server->Drain();
    drained = true;
  });
  const timespec tick{.tv_sec = 0, .tv_nsec = 20'000'000};
  while (!drained && sigtimedwait(&signals, nullptr, &tick) < 0) {
  }
  const bool stopped = !drained;
  if (stopped) server->StopNow();
  drain.join();
  return stopped ? Cancelled("stopped by a second signal with answers under way") : Status::Ok();
}

}  // namespace pingti::server
