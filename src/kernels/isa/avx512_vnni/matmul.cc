#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/fill.h"
#include "tensor/packed.h"

namespace pingti::kernels::avx512_vnni {
namespace {

#include "kernels/generic/matmul_common.inl"
#include "kernels/isa/avx512/matmul_vec.inl"
#include "kernels/isa/avx512_vnni/matmul_dot.inl"
#include "kernels/generic/matmul_quantize.inl"
#include "kernels/generic/matmul_codes.inl"
#include "kernels/generic/matmul_dot4.inl"
#include "kernels/generic/matmul_product.inl"
#include "kernels/generic/matmul_float.inl"
#include "kernels/generic/matmul_fill.inl"

}  // namespace

void FillMatMul(MatMulKernels& kernels) { FillProducts(kernels); }

}  // namespace pingti::kernels::avx512_vnni
