// Sequence: one choice of a request as the scheduler sees it: its tokens, how many of them are
// computed, and the blocks that hold their keys and values. There is no prefill state and no decode
// state: a sequence is behind by tokens.size() - tokens_computed tokens, many at first, one per
// step later, many again after a preemption. Owned by the scheduler; others read it on the engine's
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pingti::runtime {

class Choice;
struct FairShare;

// What a request says of itself when it is queued.
struct SequenceSpec {
  std::vector<int32_t> tokens = {};  // the prompt; at least one
  int32_t priority = 0;         // lower is served earlier
  std::string fairness_key = {};
  std::string cache_salt = {};
  int32_t forks = 1;  // sequences that this becomes when its prompt is computed (best_of)
  bool wants_prompt_rows = false;  // logits of all prompt positions (prompt_logprobs)
  Choice* maybe_choice = nullptr;  // the engine's side of it
};

struct Sequence {
  std::vector<int32_t> tokens;  // prompt and answer
  int32_t prompt_tokens = 0;
  int32_t tokens_computed = 0;  // their keys and values are in `blocks`
  int32_t prompt_rows_done =
      0;  // positions whose logits were delivered; counted where wants_prompt_rows
  std::vector<int32_t> blocks;  // blocks[p / kBlockTokens] holds position p
  int32_t blocks_shared = 0;    // leading blocks that the prefix cache knows

  int32_t priority = 0;
  int64_t admission_serial =
      -1;  // order of first admission; -1: never admitted. Rank is (priority, serial, fork)
  int32_t fork_index = 0;  // tells forks of one sequence apart in rank
  int32_t forks_made = 0;
  int64_t arrival_serial = 0;
  int32_t forks = 1;  // sequences this will become; 1 after Fork
  bool wants_prompt_rows = false;
  bool running = false;       // holds a place among the running; else it waits
  bool follows = false;       // waits for another sequence that computes its next block right now
  bool restarted = false;     // was preempted
  int64_t step_planned = -1;  // the latest step that gave it rows
  int32_t cached_tokens = 0;  // of the prompt, found in the prefix cache
  FairShare* share = nullptr;
  std::string cache_salt;
  Choice* maybe_choice = nullptr;

  int32_t tokens_wanted() const { return static_cast<int32_t>(tokens.size()); }
  int32_t tokens_behind() const { return tokens_wanted() - tokens_computed; }
};

// Which of two admitted sequences keeps its memory longer, and takes from the budget first.
inline bool RanksBefore(const Sequence& a, const Sequence& b) {
  if (a.priority != b.priority) return a.priority < b.priority;
  if (a.admission_serial != b.admission_serial) return a.admission_serial < b.admission_serial;
  return a.fork_index < b.fork_index;
}

}  // namespace pingti::runtime
