#include "machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace pingti::apps {
namespace {

constexpr size_t kProcBytesMax = 4 << 20;

// Files under /proc and /sys have no size: they are read to their end.
std::string Contents(const std::filesystem::path& path) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return {};
  std::string text(1 << 16, '\0');
  size_t size = 0;
  for (size_t got = 1; got > 0 && size < kProcBytesMax; size += got) {
    if (size == text.size()) text.resize(text.size() * 2);
    got = std::fread(text.data() + size, 1, text.size() - size, file);
  }
  std::fclose(file);
  text.resize(size);
  return text;
}

uint64_t Number(std::string_view text) {
  const size_t digit = text.find_first_of("0123456789");
  uint64_t value = 0;
  if (digit != std::string_view::npos)
    std::from_chars(text.data() + digit, text.data() + text.size(), value);
  return value;
}

// The number of a "Name:   123 kB" line, in bytes; 0: no such line.
uint64_t KilobyteLine(std::string_view text, std::string_view name) {
  const size_t at = text.find(name);
  return at == std::string_view::npos ? 0 : Number(text.substr(at + name.size())) * 1024;
}

// The folder of this process's control group (version 2), or empty.
std::filesystem::path ControlGroup() {
  const std::string groups = Contents("/proc/self/cgroup");
  const size_t at = groups.find("0::");
  if (at == std::string::npos) return {};
  const std::string path = groups.substr(at + 3, groups.find('\n', at) - at - 3);
  return std::filesystem::path("/sys/fs/cgroup") / std::filesystem::path(path).relative_path();
}

}  // namespace

std::string CpuModel() {
  const std::string info = Contents("/proc/cpuinfo");
  const size_t at = info.find("model name");
  const size_t colon = info.find(": ", at);
  if (at == std::string::npos || colon == std::string::npos) return "?";
  return info.substr(colon + 2, info.find('\n', colon) - colon - 2);
}

Memory ParseMemory(std::string_view meminfo, std::string_view group_max,
                   std::string_view group_current) {
  Memory memory{.total_bytes = KilobyteLine(meminfo, "MemTotal:"),
                .available_bytes = KilobyteLine(meminfo, "MemAvailable:")};
  const uint64_t limit = Number(group_max);
  if (limit > 0 && limit < memory.total_bytes) {
    const uint64_t used = Number(group_current);
    memory.total_bytes = limit;
    memory.available_bytes = std::min(memory.available_bytes, limit - std::min(used, limit));
    memory.limited = true;
  }
  return memory;
}

Memory ReadMemory() {
  const std::string meminfo = Contents("/proc/meminfo");
  Memory memory = ParseMemory(meminfo, Contents("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
                              Contents("/sys/fs/cgroup/memory/memory.usage_in_bytes"));
  // Every group above limits too.
  for (std::filesystem::path group = ControlGroup();
       group.has_relative_path() && group != "/sys/fs"; group = group.parent_path()) {
    const Memory within =
        ParseMemory(meminfo, Contents(group / "memory.max"), Contents(group / "memory.current"));
    if (within.total_bytes < memory.total_bytes) memory = within;
  }
  return memory;
}

bool SomebodyListens(uint16_t port) {
  const std::string local = fmt::format(":{:04X} ", port);
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    const std::string text = Contents(table);
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = std::string_view(text).substr(begin, end - begin);
      // "  0: 0100007F:1F90 00000000:0000 0A ...": local and remote address, state 0A is
      // "listening".
      const size_t at = line.find(local);
      if (at != std::string_view::npos &&
          line.substr(at + local.size()).find(":0000 0A ") != std::string_view::npos)
        return true;
      begin = end + 1;
    }
  }
  return false;
}

void ResetPeakMemory() {
  std::FILE* file = std::fopen("/proc/self/clear_refs", "we");
  if (file == nullptr) return;
  std::fputs("5", file);  // proc(5): resets VmHWM
  std::fclose(file);
}

uint64_t PeakMemoryBytes() { return KilobyteLine(Contents("/proc/self/status"), "VmHWM:"); }

uint64_t DiskFreeBytes(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::absolute(path, error);
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path())
    folder = folder.parent_path();
  const std::filesystem::space_info space = std::filesystem::space(folder, error);
  return error ? 0 : space.available;
}

kernels::MachineLimits MeasureLimits(int threads, const kernels::KernelTable& table) {
  constexpr uint64_t kBeyondCaches = uint64_t{1} << 30;
  const uint64_t bytes = std::min(kBeyondCaches, ReadMemory().available_bytes / 4);
  return kernels::MeasureMachineLimits(threads, table, bytes);
}

json::object LimitsJson(const kernels::MachineLimits& limits) {
  return {{"memory_bytes_per_second", limits.memory_bytes_per_second},
          {"f32_flops", limits.f32_flops},
          {"bf16_flops", limits.bf16_flops},
          {"i8_ops", limits.i8_ops}};
}

}  // namespace pingti::apps
