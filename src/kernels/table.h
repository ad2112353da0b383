// KernelTable: one function pointer per kernel, filled level by level for the CPU at hand; nothing above kernels/
// knows an instruction set.
//
// Kernels are pure functions on raw pointers: one thread, no allocation, no failure, noexcept. Each has a reference in
// ref/, a portable body in generic/ and overrides under isa/<level>/.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "kernels/matmul.h"
#include "kernels/probe.h"
#include "kernels/vector.h"

namespace pingti::kernels {

// A level uses no instruction that its name does not say; each contains the ones before it, where the CPU has them.
enum class IsaLevel : uint8_t { kScalar, kAvx2, kAvxVnni, kAvx512, kAvx512Vnni, kAvx512Bf16, kAmxBf16 };
inline constexpr int kIsaLevelCount = 7;

std::string_view IsaLevelName(IsaLevel level);  // "scalar", "avx2", "avx_vnni", ...
Result<IsaLevel> ParseIsaLevel(std::string_view name);
bool CpuHas(IsaLevel level);

struct KernelTable {
  IsaLevel level = IsaLevel::kScalar;
  MatMulKernels matmul;
  VectorKernels vector;
  ProbeKernels probe;  // empty in the reference table
};

// The table of `level`, which the CPU has.
KernelTable MakeTable(IsaLevel level);
// The slow, obvious definition of correct: double accumulation, for tests and `pingti doctor`.
KernelTable ReferenceTable();

// The table of this process: the CPU's best, or PINGTI_ISA's. An unknown or unsupported PINGTI_ISA is an error.
Result<const KernelTable*> ProcessTable();

}  // namespace pingti::kernels
