#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/fill.h"
#include "tensor/packed.h"

namespace pingti::kernels::scalar {
namespace {

#include "kernels/generic/matmul_common.inl"
#include "kernels/isa/scalar/matmul_vec.inl"
#include "kernels/generic/matmul_codes.inl"
#include "kernels/isa/scalar/matmul_dot.inl"
#include "kernels/generic/matmul_group.inl"
#include "kernels/generic/matmul_store.inl"
#include "kernels/generic/matmul_few.inl"

}  // namespace

void FillMatMulFew(MatMulKernels& kernels) { FillFew(kernels, QuantizedTypes()); }

}  // namespace pingti::kernels::scalar
