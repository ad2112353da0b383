#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/fill.h"
#include "kernels/half.h"

namespace pingti::kernels::scalar {
namespace {

#include "kernels/isa/scalar/vec.h"

#include "kernels/generic/probe.inl"

}  // namespace

void FillProbe(ProbeKernels& kernels) {
  FillProbeF32(kernels);
}

}  // namespace pingti::kernels::scalar
