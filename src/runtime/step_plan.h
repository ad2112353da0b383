// StepPlan: what one step computes, laid out as the model wants it. Filled by the scheduler, read
// by the engine.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/batch.h"
#include "runtime/sequence.h"

namespace pingti::runtime {

struct BlockCopy {
  int32_t from = 0;
  int32_t to = 0;
};

// One sequence's rows of the step and where its logits will be.
struct PlannedRows {
  Sequence* sequence = nullptr;
  int32_t row_begin = 0;
  int32_t row_count = 0;
  int32_t position_begin = 0;
  int32_t output_begin = 0;    // its first row of logits; those of prompt positions come first
  int32_t prompt_outputs = 0;  // of these, logits of prompt positions (prompt_logprobs) ...
  int32_t prompt_position_begin = 0;  // ... from this one on
  bool samples = false;               // one more row of logits, from which the next token is drawn
};

struct StepPlan {
  std::vector<BlockCopy> copies;     // to be done in this order before the step
  std::vector<int32_t> tokens;       // [rows]
  std::vector<int32_t> positions;    // [rows]
  std::vector<int32_t> output_rows;  // [outputs], ascending
  std::vector<PlannedRows> shares;
  int64_t prompt_begin = 0;          // rows before it are of answers, the others of prompts
  std::vector<ops::SequenceRows>
      sequences;  // the same, as the model wants it; block tables are borrowed

  bool empty() const { return shares.empty(); }
  // Rows of sequences that get their next token; the others are of prompts.
  int32_t single_rows() const;
  void Clear();
  ops::Batch batch() const { return {tokens, positions, sequences, output_rows, prompt_begin}; }
};

}  // namespace pingti::runtime
