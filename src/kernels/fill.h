// What each level's files export: functions that put the kernels of that level into a table, over what the levels
// before it have put there. isa/<level>/vector.cc defines FillVector, probe.cc FillProbe, matmul.cc FillMatMul (floats
// and the quantisation of activations), matmul_few.cc and matmul_many.cc the products of quantised weights with few and
// many columns (apart, so that touching one compiles little); a level with a matrix unit has matmul_bf16.cc. These files
// export nothing else: all the rest of them is in anonymous namespaces, because the linker would otherwise keep one copy
// of an inline function for all levels, maybe the one that this CPU cannot run.
#pragma once

#include "kernels/matmul.h"
#include "kernels/probe.h"
#include "kernels/vector.h"

namespace pingti::kernels {

#define PINGTI_DECLARE_FILL(level)             \
  namespace level {                            \
  void FillVector(VectorKernels& kernels);     \
  void FillMatMul(MatMulKernels& kernels);     \
  void FillMatMulFew(MatMulKernels& kernels);  \
  void FillMatMulMany(MatMulKernels& kernels); \
  void FillProbe(ProbeKernels& kernels);       \
  }
PINGTI_DECLARE_FILL(ref)
PINGTI_DECLARE_FILL(scalar)
PINGTI_DECLARE_FILL(avx2)
PINGTI_DECLARE_FILL(avx_vnni)
PINGTI_DECLARE_FILL(avx512)
PINGTI_DECLARE_FILL(avx512_vnni)
PINGTI_DECLARE_FILL(avx512_bf16)
#undef PINGTI_DECLARE_FILL
namespace amx_bf16 {
void FillMatMulBf16(MatMulKernels& kernels);
void FillProbe(ProbeKernels& kernels);
}  // namespace amx_bf16

}  // namespace pingti::kernels
