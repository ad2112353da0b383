// ThreadPool: one fork-join pool for compute. The caller is worker 0; the others are pinned to their own CPU.
//
// Run(fn) calls fn(worker) once on every worker and returns when all are done. Between calls workers spin for
// `spin_us` and then sleep on a futex, so that back-to-back calls cost about a microsecond and an idle engine
// costs nothing. One thread calls Run at a time (the engine's); Run does not nest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace pingti {

class ThreadPool final {
 public:
  struct Options {
    int threads = 0;        // workers including the caller; 0: one for each CPU this process may use
    bool pin = true;        // pin workers to CPUs of the process's affinity mask
    int64_t spin_us = 200;  // how long a worker spins for the next call before it sleeps
  };

  explicit ThreadPool(const Options& options);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int size() const { return size_; }

  // Pins the calling thread, the one that will call Run, to the CPU that the other workers leave free. Left to itself
  // it may share a worker's CPU for seconds. Threads that it starts later inherit this.
  void PinCaller();

  // fn(worker) for worker in [0, size()). `fn` must not throw.
  template <typename F>
  void Run(F&& fn) {
    auto call = [](void* context, int worker) { (*static_cast<F*>(context))(worker); };
    RunErased(call, const_cast<void*>(static_cast<const void*>(&fn)));
  }

  // fn(begin, end) over [0, count) in chunks of `grain`, taken by workers as they get free.
  template <typename F>
  void ForEach(size_t count, size_t grain, F&& fn) {
    if (count == 0) return;
    if (size_ == 1 || count <= grain) return fn(size_t{0}, count);
    ResetCursor();
    Run([&](int) {
      for (size_t begin = Take(grain); begin < count; begin = Take(grain)) {
        fn(begin, begin + grain < count ? begin + grain : count);
      }
    });
  }

 private:
  struct State;
  using Call = void (*)(void* context, int worker);

  void RunErased(Call call, void* context);
  void WorkerLoop(int worker);
  void ResetCursor();
  size_t Take(size_t grain);

  int size_;
  std::unique_ptr<State> state_;
};

}  // namespace pingti
