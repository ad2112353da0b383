// Random weights in the file's own blocks, for tests and benchmarks: any bits are valid codes, scales are sane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensor/dtype.h"

namespace pingti::kernels {

// `count` values (a multiple of the type's block) of magnitude about 1.
std::vector<std::byte> RandomWeights(DType type, size_t count, uint64_t seed);

// Uniform in [-1, 1), with a few large values, as activations have.
std::vector<float> RandomActivations(size_t count, uint64_t seed);

}  // namespace pingti::kernels
