// SelfTest: each kernel of a table against the reference on fixed pseudo-random data, for `pingti doctor`: a machine
// that computes wrongly should say so before it answers anybody. Takes milliseconds. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.h"

namespace pingti::kernels {

struct SelfTestResult {
  std::string kernel;
  double error = 0;  // largest difference from the reference, relative to the size of what is summed
  double bound = 0;  // from the number of roundings; 0: the bits are the same
  bool ok() const { return error <= bound; }
};

std::vector<SelfTestResult> SelfTest(const KernelTable& table);

}  // namespace pingti::kernels
