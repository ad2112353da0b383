#include "kernels/fill.h"

namespace pingti::kernels::ref {

void FillVector(VectorKernels&) {}

}  // namespace pingti::kernels::ref
