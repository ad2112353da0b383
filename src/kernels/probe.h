// Peak probes: the arithmetic that this CPU can do at best, per instruction set level, so that a bench can say how much of
// it a kernel uses. Registers only: no memory is touched. See table.h for the rules.
#pragma once

#include <cstdint>

namespace pingti::kernels {

struct ProbeKernels {
  // Runs `rounds` rounds of independent chains; the result depends on all of them. One thread.
  float (*multiply_add_f32)(int64_t rounds) noexcept = nullptr;
  int32_t (*dot_i8)(int64_t rounds) noexcept = nullptr;  // nullptr: this level has no int8 products
  float (*dot_bf16)(int64_t rounds) noexcept = nullptr;  // nullptr: this level has no bf16 products
  int64_t f32_flops_per_round = 0;                       // a multiply-add counts as two
  int64_t i8_ops_per_round = 0;
  int64_t bf16_flops_per_round = 0;
};

}  // namespace pingti::kernels
