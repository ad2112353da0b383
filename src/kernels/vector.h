// Kernels on F32 vectors, and attention over KV blocks. See table.h for the rules.
#pragma once

namespace pingti::kernels {

struct VectorKernels {};

}  // namespace pingti::kernels
