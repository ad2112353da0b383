#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/fill.h"
#include "kernels/generic/pack.h"
#include "tensor/packed.h"

namespace pingti::kernels::scalar {
namespace {

#include "kernels/generic/matmul_common.inl"
#include "kernels/isa/scalar/matmul_vec.inl"
#include "kernels/isa/scalar/quantize.inl"
#include "kernels/generic/matmul_quantize.inl"
#include "kernels/generic/matmul_store.inl"
#include "kernels/generic/matmul_float.inl"

}  // namespace

void FillMatMul(MatMulKernels& kernels) {
  FillPacking(kernels);  // the same layouts at every level
  FillFloats(kernels, FloatTypes());
  kernels.quantize_column = QuantizeColumn;
  kernels.make_terms = MakeTerms;
}

}  // namespace pingti::kernels::scalar
