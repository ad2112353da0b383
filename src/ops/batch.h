// Batch: the tokens of one step of the engine, of many sequences, each with its own block table.
#pragma once

#include <cstdint>
#include <span>

namespace pingti::ops {

// One sequence's share of a batch: rows [row_begin, row_begin + row_count) hold positions
// [position_begin, position_begin + row_count); everything before position_begin is in the KV cache already.
struct SequenceRows {
  int32_t row_begin = 0;
  int32_t row_count = 0;
  int32_t position_begin = 0;
  std::span<const int32_t> blocks;  // blocks[p / kBlockTokens] holds position p; covers all rows' positions
};

// Rows [prompt_begin, rows) are of prompts, the ones before them of answers. A prompt's rows may be computed in a faster
// way with bits of its own (linear.h), so a row's kind is the same in every batch that it ever stands in.
struct Batch {
  std::span<const int32_t> tokens;            // [rows]
  std::span<const int32_t> positions;         // [rows]
  std::span<const SequenceRows> sequences;    // disjoint, in row order, covering all rows
  std::span<const int32_t> output_rows;       // rows whose logits are wanted, ascending
  int64_t prompt_begin = 0;
};

}  // namespace pingti::ops
