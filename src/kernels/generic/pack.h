// Packing of weight rows into tiles (tensor/packed.h): the same for every instruction set.
#pragma once

#include "kernels/matmul.h"

namespace pingti::kernels {

// Sets everything but `multiply` in every type's WeightKernels.
void FillPacking(MatMulKernels& kernels);

}  // namespace pingti::kernels
