#include "kernels/fill.h"

namespace pingti::kernels::scalar {

void FillVector(VectorKernels&) {}  // nothing is faster here than what the levels before have put in

}  // namespace pingti::kernels::scalar
