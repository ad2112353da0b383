#include "runtime/batch_limit.h"

#include <algorithm>

namespace pingti::runtime {
namespace {

constexpr int64_t kPendingPerStep = 10;  // waiting requests that raise the limit by base_size

}  // namespace

int64_t AdjustBatchSize(const BatchLoad& load, const BatchLimitOptions& options) {
  const int64_t pending = std::max<int64_t>(0, load.pending_requests);
  const int64_t by_load = std::max<int64_t>(1, options.base_size) * (1 + pending / kPendingPerStep);
  const int64_t free_bytes = std::max<int64_t>(0, load.memory_bytes - options.reserve_bytes);
  const int64_t by_memory = free_bytes / std::max<int64_t>(1, options.memory_per_sample_bytes);
  return std::max<int64_t>(1, std::min(by_load, by_memory));
}

}  // namespace pingti::runtime
