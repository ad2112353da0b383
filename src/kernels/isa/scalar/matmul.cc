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
#include "kernels/generic/matmul_quantize.inl"
#include "kernels/generic/matmul_codes.inl"
#include "kernels/generic/matmul_dot4.inl"
#include "kernels/generic/matmul_product.inl"
#include "kernels/generic/matmul_float.inl"
#include "kernels/generic/matmul_fill.inl"

}  // namespace

void FillMatMul(MatMulKernels& kernels) {
  FillPacking(kernels);  // the same layouts at every level
  FillProducts(kernels);
}

}  // namespace pingti::kernels::scalar
