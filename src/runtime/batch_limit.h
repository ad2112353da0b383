// A limit on the sequences of a step by load and memory, as a policy beside the block-based
// default: min(base_size * (1 + pending_requests / 10), (memory - reserve) / memory_per_sample), at
// least 1. Pure function.
#pragma once

#include <cstdint>

namespace pingti::runtime {

struct BatchLimitOptions {
  int64_t base_size = 4;
  int64_t memory_per_sample_bytes = int64_t{2048} << 20;
  int64_t reserve_bytes = int64_t{2048} << 20;
};

struct BatchLoad {
  int64_t pending_requests = 0;
  int64_t memory_bytes = 0;  // free for sequences, the reserve included
};

// Never below 1: with less memory than one sample needs, requests go one by one.
int64_t AdjustBatchSize(const BatchLoad& load, const BatchLimitOptions& options = {});

}  // namespace pingti::runtime
