#include "kernels/fill.h"

namespace pingti::kernels::ref {

void FillMatMul(MatMulKernels&) {}

}  // namespace pingti::kernels::ref
