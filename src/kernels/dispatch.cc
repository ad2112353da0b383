// Which table runs: what the CPU and the operating system offer, or what PINGTI_ISA asks for.
#include <array>
#include <cstdlib>
#include <string>

#include "kernels/fill.h"
#include "kernels/table.h"

#if defined(PINGTI_X86_TABLES)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace pingti::kernels {
namespace {

constexpr std::array<std::string_view, kIsaLevelCount> kNames = {
    "scalar", "avx2", "avx_vnni", "avx512", "avx512_vnni", "avx512_bf16", "amx_bf16"};

std::string AllNames() {
  std::string names;
  for (const std::string_view name : kNames) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

using Available = std::array<bool, kIsaLevelCount>;

#if defined(PINGTI_X86_TABLES)

struct CpuidLeaf {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

CpuidLeaf Cpuid(uint32_t leaf, uint32_t subleaf) {
  CpuidLeaf r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

bool Bit(uint32_t word, int bit) { return ((word >> bit) & 1U) != 0; }

// The register states that the operating system saves (XCR0); the instruction exists where OSXSAVE is set.
uint64_t EnabledStates() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

// AMX: the kernel saves tile data for processes that have asked for it (Linux 5.16, Documentation/arch/x86/xstate.rst).
bool MayUseTiles(uint64_t states) {
  constexpr uint64_t kTileStates = 0x60000;  // XTILECFG and XTILEDATA
  if ((states & kTileStates) != kTileStates) return false;
#if defined(__linux__)
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

// Bit numbers: Intel SDM volume 2A, CPUID, leaves 1 and 7.
Available DetectCpu() {
  Available has = {};
  has[static_cast<size_t>(IsaLevel::kScalar)] = true;
  const CpuidLeaf leaf1 = Cpuid(1, 0);
  const CpuidLeaf leaf7 = Cpuid(7, 0);
  const CpuidLeaf leaf7_1 = leaf7.eax >= 1 ? Cpuid(7, 1) : CpuidLeaf{};
  constexpr int kOsxsave = 27;
  if (!Bit(leaf1.ecx, kOsxsave)) return has;
  const uint64_t states = EnabledStates();
  constexpr uint64_t kYmmStates = 0x06;  // SSE and AVX
  constexpr uint64_t kZmmStates = 0xE6;  // these, the mask registers and both halves of ZMM
  const bool ymm = (states & kYmmStates) == kYmmStates;
  const bool zmm = (states & kZmmStates) == kZmmStates;

  const bool avx2 = ymm && Bit(leaf1.ecx, 28) && Bit(leaf7.ebx, 5) && Bit(leaf1.ecx, 12) /* FMA */ &&
                    Bit(leaf1.ecx, 29) /* F16C */;
  const bool avx512 = avx2 && zmm && Bit(leaf7.ebx, 16) /* F */ && Bit(leaf7.ebx, 17) /* DQ */ &&
                      Bit(leaf7.ebx, 28) /* CD */ && Bit(leaf7.ebx, 30) /* BW */ &&
                      Bit(leaf7.ebx, 31) /* VL */;
  const bool avx512_vnni = avx512 && Bit(leaf7.ecx, 11);
  has[static_cast<size_t>(IsaLevel::kAvx2)] = avx2;
  has[static_cast<size_t>(IsaLevel::kAvxVnni)] = avx2 && Bit(leaf7_1.eax, 4);
  has[static_cast<size_t>(IsaLevel::kAvx512)] = avx512;
  has[static_cast<size_t>(IsaLevel::kAvx512Vnni)] = avx512_vnni;
  const bool avx512_bf16 = avx512_vnni && Bit(leaf7_1.eax, 5);
  has[static_cast<size_t>(IsaLevel::kAvx512Bf16)] = avx512_bf16;
  has[static_cast<size_t>(IsaLevel::kAmxBf16)] = avx512_bf16 && Bit(leaf7.edx, 22) /* AMX-BF16 */ &&
                                                 Bit(leaf7.edx, 24) /* AMX-TILE */ && MayUseTiles(states);
  return has;
}

#else

Available DetectCpu() { return {true}; }

#endif

const Available& Cpu() {
  static const Available cpu = DetectCpu();
  return cpu;
}

IsaLevel BestLevel() {
  IsaLevel best = IsaLevel::kScalar;
  for (int i = 0; i < kIsaLevelCount; ++i) {
    if (CpuHas(static_cast<IsaLevel>(i))) best = static_cast<IsaLevel>(i);
  }
  return best;
}

Result<IsaLevel> ChooseLevel() {
  const char* wanted = std::getenv("PINGTI_ISA");
  if (wanted == nullptr || *wanted == '\0') return BestLevel();
  PT_ASSIGN(const IsaLevel level, ParseIsaLevel(wanted));
  if (!CpuHas(level)) {
    return FailedPrecondition("PINGTI_ISA asks for \"" + std::string(wanted) +
                              "\", which this CPU or build does not have; the best here is \"" +
                              std::string(IsaLevelName(BestLevel())) + "\"");
  }
  return level;
}

Result<KernelTable> ChooseTable() {
  PT_ASSIGN(const IsaLevel level, ChooseLevel());
  return MakeTable(level);
}

}  // namespace

std::string_view IsaLevelName(IsaLevel level) { return kNames[static_cast<size_t>(level)]; }

Result<IsaLevel> ParseIsaLevel(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<IsaLevel>(i);
  }
  return InvalidArgument("unknown instruction set level \"" + std::string(name) +
                         "\"; known: " + AllNames());
}

bool CpuHas(IsaLevel level) { return Cpu()[static_cast<size_t>(level)]; }

KernelTable MakeTable(IsaLevel level) {
  PT_CHECK(CpuHas(level), "a table is made for a level that the CPU has");
  KernelTable table;
  table.level = level;
  // Levels that the CPU lacks are skipped: an AVX-512 CPU need not have AVX-VNNI.
  const auto wanted = [level](IsaLevel step) { return step <= level && CpuHas(step); };
#define PINGTI_FILL(step, name)          \
  if (wanted(IsaLevel::step)) {          \
    name::FillVector(table.vector);      \
    name::FillMatMul(table.matmul);      \
    name::FillMatMulFew(table.matmul);   \
    name::FillMatMulMany(table.matmul);  \
    name::FillProbe(table.probe);        \
  }
  PINGTI_FILL(kScalar, scalar)
#if defined(PINGTI_X86_TABLES)
  PINGTI_FILL(kAvx2, avx2)
  PINGTI_FILL(kAvxVnni, avx_vnni)
  PINGTI_FILL(kAvx512, avx512)
  PINGTI_FILL(kAvx512Vnni, avx512_vnni)
  PINGTI_FILL(kAvx512Bf16, avx512_bf16)
  if (wanted(IsaLevel::kAmxBf16)) {
    amx_bf16::FillMatMulBf16(table.matmul);
    amx_bf16::FillProbe(table.probe);
  }
#endif
#undef PINGTI_FILL
  return table;
}

KernelTable ReferenceTable() {
  KernelTable table;
  ref::FillVector(table.vector);
  ref::FillMatMul(table.matmul);
  return table;
}

Result<const KernelTable*> ProcessTable() {
  static const Result<KernelTable> table = ChooseTable();
  if (!table.ok()) return table.status();
  return &table.value();
}

}  // namespace pingti::kernels
