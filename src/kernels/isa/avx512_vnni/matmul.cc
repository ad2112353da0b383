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
#include "kernels/isa/avx512/quantize.inl"
#include "kernels/generic/matmul_quantize.inl"
#include "kernels/generic/matmul_store.inl"
#include "kernels/generic/matmul_float.inl"

}  // namespace

void FillMatMul(MatMulKernels& kernels) {
  FillFloats(kernels, FloatTypes());
  kernels.quantize_column = QuantizeColumn;
  kernels.make_terms = MakeTerms;
}

}  // namespace pingti::kernels::avx512_vnni
