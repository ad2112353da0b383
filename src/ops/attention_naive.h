// AttentionNaive: the textbook's attention with all scores materialised, beside which Attention is measured and tested
// (AttentionKind::kNaive, `--attn=naive`; `pingti bench attn`). Same arguments and meaning as Attention, same instruction set; needs
// 4 * rows * positions bytes of scratch for each worker, and reads and writes them several times.
#pragma once

#include "ops/attention.h"

namespace pingti::ops {

void AttentionNaive(Context& ctx, const Batch& batch, int32_t layer, const AttentionOptions& options, Matrix queries,
                    KvCache& cache, Matrix out);

}  // namespace pingti::ops
