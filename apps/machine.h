// Machine: what this process runs on, as Linux tells it: processor, memory (also the control
// group's limit), disk; and what it can do at best.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/json.h"
#include "kernels/machine_limits.h"

namespace pingti::apps {

std::string CpuModel();  // "Intel(R) Xeon(R) ..."; "?" where unknown

struct Memory {
  uint64_t total_bytes = 0;      // of the machine, or the control group's limit where that is less
  uint64_t available_bytes = 0;  // without swapping, within that limit
  bool limited = false;          // by a control group
};
Memory ReadMemory();
// From the texts of /proc/meminfo and of the group's memory.max ("max": no limit) and
// memory.current.
Memory ParseMemory(std::string_view meminfo, std::string_view group_max,
                   std::string_view group_current);

bool SomebodyListens(uint16_t port);  // on this machine (its network namespace)
// The most memory that this process had, since ResetPeakMemory where the kernel allows that.
uint64_t PeakMemoryBytes();
void ResetPeakMemory();
uint64_t DiskFreeBytes(
    const std::filesystem::path& path);  // of the nearest existing folder above it; 0: unknown

// What it can do at best, measured now with at most a quarter of the free memory; and as JSON, for the reports.
kernels::MachineLimits MeasureLimits(int threads, const kernels::KernelTable& table);
json::object LimitsJson(const kernels::MachineLimits& limits);

}  // namespace pingti::apps
