// Whether a kernel table's matrix products are right on this CPU: every weight type against the
// reference table on the same random data. The vector kernels have kernels/self_check.h.
#pragma once

#include "base/status.h"
#include "kernels/table.h"

namespace pingti::apps {

// The error names the weight type and the largest difference. Takes some milliseconds.
Status CheckProducts(const kernels::KernelTable& table);

}  // namespace pingti::apps
