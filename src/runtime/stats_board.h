// StatsBoard: the engine's latest EngineStats for any reader at any time (a sequence lock: one
// writer, never blocked).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "runtime/engine.h"

namespace pingti::runtime {

class StatsBoard final {
 public:
  void Publish(const EngineStats& stats);  // the engine's thread
  EngineStats Read() const;                // any thread; a consistent snapshot

 private:
  static constexpr size_t kWords = (sizeof(EngineStats) + sizeof(uint64_t) - 1) / sizeof(uint64_t);
  std::atomic<uint64_t> version_{0};  // odd while being written
  std::array<std::atomic<uint64_t>, kWords> words_{};
};

}  // namespace pingti::runtime
