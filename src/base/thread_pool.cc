#include "base/thread_pool.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace pingti {
namespace {

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

void FutexWait(std::atomic<uint32_t>& word, uint32_t expected) {
  ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, expected, nullptr,
            nullptr, 0);
}

void FutexWakeAll(std::atomic<uint32_t>& word) {
  ::syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr,
            nullptr, 0);
}

std::vector<int> AllowedCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void PinSelf(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof(set), &set);  // a refusal costs speed only
}

}  // namespace

// Cache lines of their own for the words that different threads write.
struct ThreadPool::State {
  Options options;
  std::vector<int> cpus;
  Call call = nullptr;
  void* context = nullptr;
  alignas(64) std::atomic<uint32_t> epoch{0};     // counts calls; workers wait for it to move
  alignas(64) std::atomic<uint32_t> sleepers{0};  // workers asleep on `epoch`
  alignas(64) std::atomic<uint32_t> pending{0};   // workers still running the current call
  alignas(64) std::atomic<size_t> cursor{0};      // next item of ForEach
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
};

ThreadPool::ThreadPool(const Options& options) : state_(std::make_unique<State>()) {
  state_->options = options;
  state_->cpus = AllowedCpus();
  const int cpus = std::max<int>(1, static_cast<int>(state_->cpus.size()));
  size_ = options.threads > 0 ? options.threads : cpus;
  if (size_ > cpus) state_->options.spin_us = 0;  // spinning would take the CPU from a worker
  for (int worker = 1; worker < size_; ++worker) {
    state_->threads.emplace_back([this, worker] { WorkerLoop(worker); });
  }
}

ThreadPool::~ThreadPool() {
  state_->stop.store(true);
  state_->epoch.fetch_add(1);
  FutexWakeAll(state_->epoch);
  for (std::thread& thread : state_->threads) thread.join();
}

void ThreadPool::PinCaller() {
  if (state_->options.pin && size_ > 1 && !state_->cpus.empty()) PinSelf(state_->cpus.front());
}

void ThreadPool::ResetCursor() { state_->cursor.store(0, std::memory_order_relaxed); }

size_t ThreadPool::Take(size_t grain) {
  return state_->cursor.fetch_add(grain, std::memory_order_relaxed);
}

void ThreadPool::RunErased(Call call, void* context) {
  State& state = *state_;
  if (size_ == 1) return call(context, 0);
  state.call = call;
  state.context = context;
  state.pending.store(static_cast<uint32_t>(size_ - 1), std::memory_order_relaxed);
  state.epoch.fetch_add(1, std::memory_order_seq_cst);
  if (state.sleepers.load(std::memory_order_seq_cst) > 0) FutexWakeAll(state.epoch);
  call(context, 0);
  for (int spins = 0; state.pending.load(std::memory_order_acquire) != 0; ++spins) {
    if (state.options.spin_us == 0 || spins > 20000) {
      std::this_thread::yield();
    } else {
      Pause();
    }
  }
}

void ThreadPool::WorkerLoop(int worker) {
  State& state = *state_;
  if (state.options.pin && worker < static_cast<int>(state.cpus.size())) {
    PinSelf(state.cpus[static_cast<size_t>(worker)]);
  }
  uint32_t seen = 0;
  while (true) {
    const auto spin_until =
        std::chrono::steady_clock::now() + std::chrono::microseconds(state.options.spin_us);
    int spins = 0;
    while (state.epoch.load(std::memory_order_acquire) == seen) {
      if (state.options.spin_us > 0 &&
          (++spins % 256 != 0 || std::chrono::steady_clock::now() < spin_until)) {
        Pause();
        continue;
      }
      state.sleepers.fetch_add(1, std::memory_order_seq_cst);
      FutexWait(state.epoch, seen);
      state.sleepers.fetch_sub(1, std::memory_order_seq_cst);
    }
    ++seen;
    if (state.stop.load()) return;
    state.call(state.context, worker);
    state.pending.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace pingti
