#include "net/loop.h"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <thread>

namespace pingti::net {

namespace asio = boost::asio;

struct Loop::State {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{io.get_executor()};
  std::thread thread;
  std::atomic<std::thread::id> runner{};
};

namespace {

using Timer = std::shared_ptr<asio::steady_timer>;

void Repeat(Timer timer, int64_t period_ms, std::shared_ptr<std::function<void()>> task) {
  timer->expires_after(std::chrono::milliseconds(period_ms));
  timer->async_wait([=](const boost::system::error_code& error) {
    if (error) return;
    (*task)();
    Repeat(timer, period_ms, task);
  });
}

}  // namespace

Loop::Loop() : state_(std::make_unique<State>()) {}

Loop::~Loop() {
  Stop();
  Join();
}

void Loop::Join() {
  if (state_->thread.joinable()) state_->thread.join();
}

void Loop::Start() {
  state_->thread = std::thread([this] { Run(); });
}

void Loop::Run() {
  state_->runner = std::this_thread::get_id();
  state_->io.run();
}

void Loop::Stop() { state_->io.stop(); }

void Loop::Post(std::function<void()> task) { asio::post(state_->io, std::move(task)); }

bool Loop::OnThread() const { return state_->runner.load() == std::this_thread::get_id(); }

void Loop::Every(int64_t period_ms, std::function<void()> task) {
  Repeat(std::make_shared<asio::steady_timer>(state_->io), period_ms,
         std::make_shared<std::function<void()>>(std::move(task)));
}

void Loop::After(int64_t delay_ms, std::function<void()> task) {
  auto timer = std::make_shared<asio::steady_timer>(state_->io);
  timer->expires_after(std::chrono::milliseconds(delay_ms));
  timer->async_wait([timer, task = std::move(task)](const boost::system::error_code& error) {
    if (!error) task();
  });
}

void* Loop::io_context() { return &state_->io; }

int64_t NowMs() {
  using std::chrono::duration_cast, std::chrono::milliseconds, std::chrono::steady_clock;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace pingti::net
