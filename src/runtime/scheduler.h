// Scheduler: decides what each step computes. A pure class: no thread, no clock, no model; the
// engine (or a simulation) calls Plan, computes, calls Complete, appends the sampled tokens, and so
// on.
//
// Each step: admit waiting sequences (admission.h) while there are places, blocks and tokens to
// give; then hand out the step's tokens (token_budget.h): one to each sequence that only lacks its
// next token, then prompt pieces, both in order of rank. Blocks come from the pool (block_pool.h);
// full blocks are offered to and found in the prefix cache; a block that others share is copied
// before it is written; where blocks run out, the worst-ranked sequence gives up its own
// (preemption.h). The best-ranked sequence always progresses, and each sequence alone fits into the
// pool (CanEverFit).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "runtime/admission.h"
#include "runtime/block_pool.h"
#include "runtime/prefix_cache.h"
#include "runtime/sequence.h"
#include "runtime/step_plan.h"
#include "runtime/token_budget.h"

namespace pingti::runtime {

struct SchedulerOptions {
  int32_t blocks = 0;
  int32_t sequences_max = 256;
  int32_t batch_tokens_max = 2048;  // >= sequences_max
  int32_t prefill_chunk_max = 512;
  int32_t prompt_rows_max = 64;  // rows of prompt logits in one step, all sequences together
  bool prefix_cache = true;
  // What a prompt has computed and what an answer has are not the same bits (Model::has_prompt_path): blocks with an
  // answer's tokens are neither shared nor taken from others.
  bool answers_apart = false;
  uint64_t hash_seed = 0;
  uint64_t hash_mask = ~uint64_t{0};
  // Optional further limit on running sequences, given the number that wait (batch_limit.h).
  std::function<int32_t(int32_t waiting)> sequences_limit = {};
};

struct SchedulerCounters {
  uint64_t prefix_queries_tokens = 0;
  uint64_t prefix_hits_tokens = 0;
  uint64_t preemptions = 0;
  uint64_t block_copies = 0;
};

class Scheduler final {
 public:
  explicit Scheduler(const SchedulerOptions& options);
  ~Scheduler();

  // Blocks that `tokens` tokens need.
  static int32_t BlocksFor(int64_t tokens);
  // A sequence that may grow to `tokens` tokens can run, if need be alone.
  bool CanEverFit(int64_t tokens) const { return BlocksFor(tokens) <= pool_.blocks(); }

  // Queues a sequence. It lives until Finish.
  Sequence* Add(SequenceSpec spec);
  // Ends a sequence in any state and frees its blocks.
  void Finish(Sequence* sequence);

  // The next step; empty when nothing can be computed. `prompt_tokens_max` limits the prompts' part
  // of it. Valid until the next Plan, but for the sequences that Finish ends.
  const StepPlan& Plan(int32_t prompt_tokens_max);
  // The plan's rows are in the KV cache now.
  void Complete();
  // The token that was drawn after `sequence`'s last row.
  void Append(Sequence* sequence, int32_t token);
  // Splits off a sequence that shares all blocks; for a sequence with forks > 1 whose prompt is
  // computed, before Append.
  Sequence* Fork(Sequence* sequence, Choice* maybe_choice);

  bool idle() const { return sequences_.empty(); }
  int32_t running() const { return static_cast<int32_t>(running_.size()); }
  // Running sequences that only lack their next token: the next step computes it for each.
  int32_t decoding() const;
  int32_t waiting() const { return waiting_.size(); }
  // The share of the used blocks' places that hold no token: the last block of a sequence is not full.
  double waste() const;
  const BlockPool& pool() const { return pool_; }
  const PrefixCache& prefix_cache() const { return cache_; }
  const SchedulerCounters& counters() const { return counters_; }
  // Tests: reference counts equal the block tables' entries, lists and counters agree. Aborts where
  // they do not.
  void CheckInvariants() const;

 private:
  void Admit(int32_t prompt_tokens_max);
  bool HasRoomFor(const Sequence& sequence) const;
  bool MakeRoomByPriority(const Sequence& sequence);
  void Start(Sequence* sequence);
  void Preempt(Sequence* sequence);
  void PlanRows(Sequence* sequence, TokenBudget& budget);
  int32_t CutToPromptRows(const Sequence& sequence, int32_t count) const;
  void AddRows(Sequence* sequence, int32_t count);
  void LayOutRows();
  void LayOut(PlannedRows& share);
  int32_t ShareableTokens(const Sequence& sequence) const;
  void Place(Sequence* sequence);
  int32_t EnsureBlocks(Sequence* sequence, int32_t count);
  int32_t TakeBlock(const Sequence& sequence);
  void ReleaseBlocks(Sequence* sequence);
  void ExtendFromCache(Sequence* sequence);
  bool IsComputedByOther(const Sequence& sequence) const;
  PrefixCache::Key KeyOf(const Sequence& sequence, int32_t block_index) const;
  bool MayReuseNextBlock(const Sequence& sequence) const;
  void ShareFullBlocks(Sequence* sequence);

  SchedulerOptions options_;
  BlockPool pool_;
  PrefixCache cache_;
  AdmissionQueue waiting_;
  std::vector<Sequence*> running_;  // by rank
  std::unordered_map<Sequence*, std::unique_ptr<Sequence>> sequences_;
  StepPlan plan_;
  SchedulerCounters counters_;
  int64_t step_ = 0;
  int64_t next_serial_ = 0;
  int32_t prompt_rows_left_ = 0;  // of this step
};

}  // namespace pingti::runtime
