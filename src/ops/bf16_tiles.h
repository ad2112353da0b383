// The activations of one product as tiles of BF16 (kernels/matmul.h), converted once for all the weights that
// read them.
#pragma once

#include <cstdint>

#include "ops/context.h"

namespace pingti::ops {

// x: [columns, cols] with at most kBf16ColumnsMax columns and a multiple of 32 inputs. Valid until the scratch is used again.
const uint16_t* ConvertToBf16Tiles(Context& ctx, Matrix x);

}  // namespace pingti::ops
