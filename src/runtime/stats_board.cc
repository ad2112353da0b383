#include "runtime/stats_board.h"

#include <cstring>
#include <type_traits>

namespace pingti::runtime {

static_assert(std::is_trivially_copyable_v<EngineStats>);

// Every access is atomic; acquire loads and release stores of the words keep the version checks
// around them.
void StatsBoard::Publish(const EngineStats& stats) {
  uint64_t copy[kWords] = {};
  std::memcpy(copy, &stats, sizeof(stats));
  const uint64_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  for (size_t i = 0; i < kWords; ++i) words_[i].store(copy[i], std::memory_order_release);
  version_.store(version + 2, std::memory_order_release);
}

EngineStats StatsBoard::Read() const {
  uint64_t copy[kWords];
  while (true) {
    const uint64_t before = version_.load(std::memory_order_acquire);
    for (size_t i = 0; i < kWords; ++i) copy[i] = words_[i].load(std::memory_order_acquire);
    if (before % 2 == 0 && version_.load(std::memory_order_relaxed) == before) break;
  }
  EngineStats stats;
  std::memcpy(&stats, copy, sizeof(stats));
  return stats;
}

}  // namespace pingti::runtime
