#include "runtime/kv_budget.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace pingti::runtime {
namespace {

class FakeRoot {
 public:
  FakeRoot() {
    std::string name = (std::filesystem::temp_directory_path() / "kv_budget_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~FakeRoot() { std::filesystem::remove_all(path_); }
  void Write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = path_ + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr int64_t kMib = 1 << 20;

TEST(AvailableMemory, IsTheMachinesOrTheGroupsWhicheverIsLess) {
  FakeRoot root;
  root.Write("/proc/meminfo",
             "MemTotal:  9000 kB\nMemFree:  100 kB\nMemAvailable:  4096 kB\nHugePages_Total: 0\n");
  EXPECT_EQ(AvailableMemoryBytes(root.path()), 4 * kMib);
  root.Write("/sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(AvailableMemoryBytes(root.path()), 4 * kMib);
  root.Write("/sys/fs/cgroup/memory.max", "3145728\n");
  root.Write("/sys/fs/cgroup/memory.current", "1048576\n");
  EXPECT_EQ(AvailableMemoryBytes(root.path()), 2 * kMib);
  root.Write("/proc/self/cgroup", "0::/unit\n");
  root.Write("/sys/fs/cgroup/unit/memory.max", "1048576\n");
  root.Write("/sys/fs/cgroup/unit/memory.current", "2097152\n");
  EXPECT_EQ(AvailableMemoryBytes(root.path()), 0);
}

TEST(AvailableMemory, OlderGroups) {
  FakeRoot root;
  root.Write("/proc/meminfo", "MemAvailable:  4096 kB\n");
  root.Write("/proc/self/cgroup", "7:cpu:/x\n5:memory:/job\n");
  root.Write("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2097152\n");
  root.Write("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1048576\n");
  EXPECT_EQ(AvailableMemoryBytes(root.path()), kMib);
  root.Write("/sys/fs/cgroup/memory/job/memory.stat",
             "inactive_file 7\ntotal_mapped_file 0\ntotal_inactive_file 524288\n");
  EXPECT_EQ(AvailableMemoryBytes(root.path()), kMib + kMib / 2);
}

TEST(AvailableMemory, PagesOfFilesThatNobodyMapsAreFree) {
  FakeRoot root;
  root.Write("/proc/meminfo", "MemAvailable:  1000000 kB\n");
  root.Write("/sys/fs/cgroup/memory.max", std::to_string(100 * kMib) + "\n");
  root.Write("/sys/fs/cgroup/memory.current", std::to_string(90 * kMib) + "\n");
  EXPECT_EQ(AvailableMemoryBytes(root.path()), 10 * kMib);
  const auto stat = [](int64_t inactive, int64_t active, int64_t mapped) {
    return "anon 123\nfile 456\nfile_mapped " + std::to_string(mapped * kMib) +
           "\ninactive_anon 9\ninactive_file " + std::to_string(inactive * kMib) +
           "\nactive_file " + std::to_string(active * kMib) + "\n";
  };
  root.Write("/sys/fs/cgroup/memory.stat", stat(50, 10, 0));
  EXPECT_EQ(AvailableMemoryBytes(root.path()), 70 * kMib);
  root.Write("/sys/fs/cgroup/memory.stat", stat(50, 10, 40));
  EXPECT_EQ(AvailableMemoryBytes(root.path()), 30 * kMib);
  // Counters are read one after the other and need not agree.
  root.Write("/sys/fs/cgroup/memory.stat", stat(50, 10, 80));
  EXPECT_EQ(AvailableMemoryBytes(root.path()), 10 * kMib);
  root.Write("/sys/fs/cgroup/memory.stat", stat(500, 10, 0));
  EXPECT_EQ(AvailableMemoryBytes(root.path()), 100 * kMib);
  root.Write("/sys/fs/cgroup/memory.stat", "rubbish");
  EXPECT_EQ(AvailableMemoryBytes(root.path()), 10 * kMib);
}

TEST(AvailableMemory, OfThisMachineIsKnown) { EXPECT_GT(AvailableMemoryBytes(), kMib); }

KvDemand Demand() {
  return {.shape = {.layers = 2, .kv_heads = 1, .key_dim = 64, .value_dim = 64},
          .type = ops::KvType::kF16,
          .context_length = 1000,
          .sequences_max = 3,
          .kv_bytes = 0,
          .available_bytes = int64_t{1} << 40};
}

TEST(KvBlocks, NotMoreThanAllSequencesCouldUse) { EXPECT_EQ(KvBlocks(Demand()).value(), 3 * 32); }

TEST(KvBlocks, NotMoreThanHalfOfWhatIsFree) {
  KvDemand demand = Demand();
  demand.available_bytes =
      static_cast<int64_t>(ops::KvCache::BlockBytes(demand.shape, demand.type)) * 41;
  EXPECT_EQ(KvBlocks(demand).value(), 20);
}

TEST(KvBlocks, WhatTheOperatorSays) {
  KvDemand demand = Demand();
  demand.kv_bytes =
      static_cast<int64_t>(ops::KvCache::BlockBytes(demand.shape, demand.type)) * 1000;
  EXPECT_EQ(KvBlocks(demand).value(), 1000);
}

TEST(KvBlocks, TooLittleTellsTheArithmetic) {
  KvDemand demand = Demand();
  demand.kv_bytes = 1000;
  const Result<int32_t> blocks = KvBlocks(demand);
  ASSERT_FALSE(blocks.ok());
  EXPECT_NE(blocks.status().message().find("1000 bytes"), std::string::npos)
      << blocks.status().message();
}

}  // namespace
}  // namespace pingti::runtime
