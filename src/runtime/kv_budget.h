// How much memory the KV cache gets where the operator does not say.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "ops/kv_cache.h"

namespace pingti::runtime {

// Memory that this process may still take: the machine's available memory or what its control group
// (v2 or v1) leaves, whichever is less. `root` is "" but in tests, which put files there.
int64_t AvailableMemoryBytes(const std::string& root = {});

struct KvDemand {
  ops::KvShape shape;
  ops::KvType type = ops::KvType::kF16;
  int64_t context_length = 0;  // tokens of a sequence
  int32_t sequences_max = 0;
  int64_t kv_bytes = 0;  // what the operator asked for; 0: decide here
  int64_t available_bytes = 0;
};

// Blocks for the cache: of kv_bytes, or else of half the available memory, but not more than
// sequences_max sequences of full length could use. Pages are taken when first written, so an idle
// server holds little. An error tells the arithmetic where not even one sequence of one block fits.
Result<int32_t> KvBlocks(const KvDemand& demand);

}  // namespace pingti::runtime
