#include "runtime/kv_budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>

namespace pingti::runtime {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();
constexpr int32_t kBlocksMin = 4;

std::optional<int64_t> ReadNumber(const std::string& path) {
  std::ifstream file(path);
  int64_t value = 0;
  if (!(file >> value)) return std::nullopt;  // absent, or "max"
  return value;
}

int64_t MachineAvailable(const std::string& root) {
  std::ifstream file(root + "/proc/meminfo");
  std::string name;
  int64_t kib = 0;
  std::string unit;
  constexpr int64_t kKib = 1024;
  while (file >> name >> kib) {
    if (name == "MemAvailable:") return kib * kKib;
    std::getline(file, unit);
  }
  return kUnlimited;
}

// Files of one version of control groups.
struct GroupFiles {
  const char* limit;
  const char* used;
  const char* stat_prefix;  // of the counters of the group and those below it
  const char* mapped;
};
constexpr GroupFiles kGroupV2 = {"/memory.max", "/memory.current", "", "file_mapped"};
constexpr GroupFiles kGroupV1 = {"/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_",
                                 "mapped_file"};

// A group's use counts the page cache of all files that it has read, a model's weights among them;
// the kernel takes those pages back when memory is wanted. Mapped ones are in use.
int64_t ReclaimableBytes(const std::string& folder, const GroupFiles& files) {
  std::ifstream stat(folder + "/memory.stat");
  const std::string prefix = files.stat_prefix;
  int64_t cached = 0;
  int64_t mapped = 0;
  std::string name;
  for (int64_t value = 0; stat >> name >> value;) {
    if (name == prefix + "active_file" || name == prefix + "inactive_file") cached += value;
    if (name == prefix + files.mapped) mapped = value;
  }
  return std::max<int64_t>(0, cached - mapped);
}

int64_t GroupAvailable(const std::string& folder, const GroupFiles& files) {
  const std::optional<int64_t> limit = ReadNumber(folder + files.limit);
  if (!limit.has_value()) return kUnlimited;
  const int64_t used = ReadNumber(folder + files.used).value_or(0);
  const int64_t held = std::max<int64_t>(0, used - ReclaimableBytes(folder, files));
  return std::max<int64_t>(0, *limit - held);
}

// The group's path in /proc/self/cgroup: "0::/path" (v2) or "5:memory:/path" (v1); empty where
// there is none.
std::string GroupPath(const std::string& root, const std::string& prefix) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t at = line.find(prefix);
    if (at != std::string::npos) return line.substr(at + prefix.size());
  }
  return {};
}

}  // namespace

int64_t AvailableMemoryBytes(const std::string& root) {
  int64_t available = MachineAvailable(root);
  // Inside a container the group's own directory is often mounted at the top.
  const std::string v2 = root + "/sys/fs/cgroup";
  const std::string v1 = root + "/sys/fs/cgroup/memory";
  for (const std::string& path : {std::string(), GroupPath(root, "0::")}) {
    available = std::min(available, GroupAvailable(v2 + path, kGroupV2));
  }
  for (const std::string& path : {std::string(), GroupPath(root, ":memory:")}) {
    available = std::min(available, GroupAvailable(v1 + path, kGroupV1));
  }
  return available == kUnlimited ? 0 : available;
}

Result<int32_t> KvBlocks(const KvDemand& demand) {
  const auto block_bytes =
      static_cast<int64_t>(ops::KvCache::BlockBytes(demand.shape, demand.type));
  const int64_t blocks_of_sequence =
      (demand.context_length + ops::kBlockTokens - 1) / ops::kBlockTokens;
  int64_t blocks = demand.kv_bytes / block_bytes;
  if (demand.kv_bytes == 0) {
    const int64_t most = blocks_of_sequence * demand.sequences_max;
    blocks = std::min(most, demand.available_bytes / 2 / block_bytes);
  }
  if (blocks < kBlocksMin) {
    const int64_t bytes = demand.kv_bytes > 0 ? demand.kv_bytes : demand.available_bytes / 2;
    return ResourceExhausted(fmt::format(
        "the KV cache needs at least {} blocks of {} bytes ({} tokens each), but has {} bytes{}",
        kBlocksMin, block_bytes, ops::kBlockTokens, bytes,
        demand.kv_bytes > 0 ? "" : ", half of the available memory"));
  }
  return static_cast<int32_t>(
      std::min<int64_t>(blocks, std::numeric_limits<int32_t>::max() / ops::kBlockTokens));
}

}  // namespace pingti::runtime
