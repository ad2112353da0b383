#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/fill.h"
#include "tensor/packed.h"

namespace pingti::kernels::avx2 {
namespace {

#include "kernels/generic/matmul_common.inl"
#include "kernels/isa/avx2/matmul_vec.inl"
#include "kernels/generic/matmul_codes.inl"
#include "kernels/isa/avx2/matmul_dot.inl"
#include "kernels/generic/matmul_dot2.inl"
#include "kernels/generic/matmul_group.inl"
#include "kernels/generic/matmul_store.inl"
#include "kernels/generic/matmul_few.inl"

}  // namespace

void FillMatMulFew(MatMulKernels& kernels) { FillFew(kernels, QuantizedTypes()); }

}  // namespace pingti::kernels::avx2
