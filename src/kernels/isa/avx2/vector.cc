#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/fill.h"
#include "kernels/half.h"

namespace pingti::kernels::avx2 {
namespace {

#include "kernels/isa/avx2/vec.h"

#include "kernels/generic/exp.inl"

#include "kernels/generic/elementwise.inl"

#include "kernels/generic/attention.inl"

#include "kernels/generic/kv_cells.inl"

#include "kernels/generic/fill_vector.inl"

}  // namespace

void FillVector(VectorKernels& kernels) { FillAll(kernels); }

}  // namespace pingti::kernels::avx2
