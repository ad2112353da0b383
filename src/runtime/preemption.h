// Who gives up its memory when blocks (or places) run out: the running sequence of the worst rank,
// i.e. the highest priority number and, within it, the youngest admission.
//
// A preempted sequence is recomputed, not swapped: KV blocks live in host memory already, so a swap
// area would only be a second pool. Its full blocks stay in the prefix cache until they are needed,
// and kernels give a row the same bits however its prompt is cut, so the tokens that follow are the
// same.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/sequence.h"

namespace pingti::runtime {

// `running` is in order of rank. A sequence with rows in `step` is no victim, nor is one that does
// not rank after `asking`. Null: nobody.
inline Sequence* ChooseVictim(const std::vector<Sequence*>& running, const Sequence& asking,
                              int64_t step) {
  for (auto it = running.rbegin(); it != running.rend(); ++it) {
    Sequence* candidate = *it;
    if (candidate == &asking || !RanksBefore(asking, *candidate)) return nullptr;
    if (candidate->step_planned != step && !candidate->blocks.empty()) return candidate;
  }
  return nullptr;
}

}  // namespace pingti::runtime
