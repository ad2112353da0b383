// Quantised matrix products. See table.h for the rules.
#pragma once

namespace pingti::kernels {

struct MatMulKernels {};

}  // namespace pingti::kernels
