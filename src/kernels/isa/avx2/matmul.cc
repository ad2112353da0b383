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
#include "kernels/isa/avx2/quantize.inl"
#include "kernels/generic/matmul_quantize.inl"
#include "kernels/generic/matmul_store.inl"
#include "kernels/generic/matmul_float.inl"

}  // namespace

void FillMatMul(MatMulKernels& kernels) {
  FillFloats(kernels, FloatTypes());
  kernels.quantize_column = QuantizeColumn;
  kernels.make_terms = MakeTerms;
}

}  // namespace pingti::kernels::avx2
