#include "runtime/scheduler.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "ops/kv_cache.h"
#include "runtime/preemption.h"

namespace pingti::runtime {
namespace {

using ops::kBlockTokens;

// Logits of prompt positions: those of [begin, begin + count) of a sequence that are wanted and not
// yet delivered.
struct PromptRows {
  int32_t begin = 0;
  int32_t count = 0;
};

PromptRows WantedPromptRows(const Sequence& sequence, int32_t count) {
  if (!sequence.wants_prompt_rows) return {};
  // Position p tells the probability of token p + 1: the last prompt position is the answer's
  // business.
  const int32_t begin = std::max(sequence.tokens_computed, sequence.prompt_rows_done);
  const int32_t end = std::min(sequence.tokens_computed + count, sequence.prompt_tokens - 1);
  return {begin, std::max(0, end - begin)};
}

}  // namespace

void StepPlan::Clear() {
  copies.clear();
  tokens.clear();
  positions.clear();
  output_rows.clear();
  shares.clear();
  sequences.clear();
  prompt_begin = 0;
}

int32_t StepPlan::single_rows() const {
  return static_cast<int32_t>(std::count_if(
      shares.begin(), shares.end(), [](const PlannedRows& share) { return share.row_count == 1; }));
}

Scheduler::Scheduler(const SchedulerOptions& options)
    : options_(options),
      pool_(options.blocks),
      cache_({.blocks = options.blocks,
              .hash_seed = options.hash_seed,
              .hash_mask = options.hash_mask}) {
  PT_CHECK(options_.sequences_max >= 1 && options_.batch_tokens_max >= options_.sequences_max,
           "a step must have a token for each sequence");
  PT_CHECK(options_.prefill_chunk_max >= 1 && options_.prompt_rows_max >= 1,
           "limits are at least 1");
}

Scheduler::~Scheduler() = default;

int32_t Scheduler::BlocksFor(int64_t tokens) {
  const int64_t blocks = (tokens + kBlockTokens - 1) / kBlockTokens;
  return static_cast<int32_t>(std::min<int64_t>(blocks, std::numeric_limits<int32_t>::max()));
}

Sequence* Scheduler::Add(SequenceSpec spec) {
  PT_CHECK(!spec.tokens.empty() && CanEverFit(static_cast<int64_t>(spec.tokens.size())),
           "a sequence has tokens and fits into the pool");
  PT_CHECK(spec.forks >= 1 && spec.forks <= options_.sequences_max, "forks must fit into a step");
  auto owned = std::make_unique<Sequence>();
  Sequence* sequence = owned.get();
  sequence->tokens = std::move(spec.tokens);
  sequence->prompt_tokens = sequence->tokens_wanted();
  sequence->priority = spec.priority;
  sequence->arrival_serial = next_serial_++;
  sequence->forks = spec.forks;
  sequence->wants_prompt_rows = spec.wants_prompt_rows;
  sequence->cache_salt = std::move(spec.cache_salt);
  sequence->maybe_choice = spec.maybe_choice;
  sequence->share = waiting_.Join(spec.fairness_key);
  sequences_.emplace(sequence, std::move(owned));
  waiting_.Add(sequence);
  return sequence;
}

void Scheduler::Finish(Sequence* sequence) {
  if (sequence->running) {
    std::erase(running_, sequence);
    ReleaseBlocks(sequence);
  } else {
    waiting_.Remove(sequence);
  }
  waiting_.Leave(sequence->share);
  PT_CHECK(sequences_.erase(sequence) == 1, "a sequence ends once");
}

int32_t Scheduler::decoding() const {
  return static_cast<int32_t>(
      std::count_if(running_.begin(), running_.end(),
                    [](const Sequence* sequence) { return sequence->tokens_behind() == 1; }));
}

double Scheduler::waste() const {
  if (pool_.used_blocks() == 0) return 0;
  int64_t empty = 0;
  for (const Sequence* sequence : running_) {
    const auto blocks = static_cast<int64_t>(sequence->blocks.size());
    empty += blocks * kBlockTokens - sequence->tokens_computed;
  }
  return static_cast<double>(empty) / (static_cast<double>(pool_.used_blocks()) * kBlockTokens);
}

const StepPlan& Scheduler::Plan(int32_t prompt_tokens_max) {
  plan_.Clear();
  ++step_;
  prompt_rows_left_ = options_.prompt_rows_max;
  Admit(prompt_tokens_max);
  TokenBudget budget({.tokens = options_.batch_tokens_max,
                      .prompt_tokens = prompt_tokens_max,
                      .prompt_chunk = options_.prefill_chunk_max});
  // Victims of a preemption rank after the one that asks: what is erased from running_ lies behind
  // `i`.
  for (size_t i = 0; i < running_.size(); ++i) {
    if (running_[i]->tokens_behind() == 1) PlanRows(running_[i], budget);
  }
  for (size_t i = 0; i < running_.size() && budget.prompt_tokens_left() > 0; ++i) {
    if (running_[i]->step_planned != step_) PlanRows(running_[i], budget);
  }
  LayOutRows();
  return plan_;
}

void Scheduler::Admit(int32_t prompt_tokens_max) {
  const int32_t answers = decoding();
  int32_t prompt_demand = 0;  // tokens that the running prompts will take from this step
  const auto demand_of = [this](const Sequence& sequence) {
    return sequence.follows ? 0 : std::min(sequence.tokens_behind(), options_.prefill_chunk_max);
  };
  for (const Sequence* sequence : running_) {
    if (sequence->tokens_behind() > 1) prompt_demand += demand_of(*sequence);
  }
  while (Sequence* next = waiting_.Next()) {
    // Admitting what gets nothing in this step would only settle its turn too early.
    const int32_t supply = std::min(prompt_tokens_max, options_.batch_tokens_max - answers);
    const bool outranks = !running_.empty() && next->priority < running_.back()->priority;
    if (prompt_demand >= supply && !outranks) return;
    if (!HasRoomFor(*next) && !MakeRoomByPriority(*next)) return;
    Start(next);
    prompt_demand += demand_of(*next);
  }
}

bool Scheduler::HasRoomFor(const Sequence& sequence) const {
  if (running_.empty()) return true;  // it fits alone
  int32_t places = options_.sequences_max;
  if (options_.sequences_limit)
    places = std::min(places, options_.sequences_limit(waiting_.size()));
  // Blocks that the running sequences still need for tokens that they have; forks each copy the
  // last one.
  int64_t promised = 0;
  int32_t places_taken = 0;
  for (const Sequence* other : running_) {
    promised += BlocksFor(other->tokens_wanted()) + (other->forks - 1) -
                static_cast<int64_t>(other->blocks.size());
    places_taken += other->forks;
  }
  if (places_taken + sequence.forks > places) return false;
  // And one for each to go on with, so that a newcomer is not preempted at once.
  const int64_t growth = static_cast<int64_t>(running_.size());
  const int64_t needed = BlocksFor(sequence.tokens_wanted()) + (sequence.forks - 1);
  return pool_.free_blocks() >= promised + growth + needed;
}

bool Scheduler::MakeRoomByPriority(const Sequence& sequence) {
  while (!running_.empty() && running_.back()->priority > sequence.priority) {
    Preempt(running_.back());
    if (HasRoomFor(sequence)) return true;
  }
  return false;
}

void Scheduler::Start(Sequence* sequence) {
  waiting_.Remove(sequence);
  sequence->running = true;
  if (sequence->admission_serial < 0) {
    sequence->admission_serial = next_serial_++;
    sequence->share->tokens_served += sequence->prompt_tokens;
    counters_.prefix_queries_tokens += static_cast<uint64_t>(sequence->prompt_tokens);
  }
  Place(sequence);
  ExtendFromCache(sequence);
}

void Scheduler::Place(Sequence* sequence) {
  const auto place =
      std::upper_bound(running_.begin(), running_.end(), sequence,
                       [](const Sequence* a, const Sequence* b) { return RanksBefore(*a, *b); });
  running_.insert(place, sequence);
}

void Scheduler::Preempt(Sequence* sequence) {
  ReleaseBlocks(sequence);
  sequence->running = false;
  sequence->restarted = true;
  sequence->follows = false;
  std::erase(running_, sequence);
  waiting_.AddPreempted(sequence);
  ++counters_.preemptions;
}

void Scheduler::PlanRows(Sequence* sequence, TokenBudget& budget) {
  if (sequence->tokens_behind() > 1) {
    ExtendFromCache(sequence);
    sequence->follows = IsComputedByOther(*sequence);
    if (sequence->follows) return;
  }
  const int32_t behind = sequence->tokens_behind();
  int32_t count = budget.Offer(sequence->tokens_computed, behind);
  // Rows of a prompt and, after a preemption, of its answer are of different kinds: one step has one kind of a sequence.
  const int32_t prompt_left = sequence->prompt_tokens - sequence->tokens_computed;
  if (prompt_left > 0) count = std::min(count, prompt_left);
  count = EnsureBlocks(sequence, CutToPromptRows(*sequence, count));
  if (count == 0) return;
  budget.Take(count, behind > 1);
  AddRows(sequence, count);
}

int32_t Scheduler::CutToPromptRows(const Sequence& sequence, int32_t count) const {
  const PromptRows wanted = WantedPromptRows(sequence, count);
  if (wanted.count <= prompt_rows_left_) return count;
  return wanted.begin + prompt_rows_left_ - sequence.tokens_computed;
}

void Scheduler::AddRows(Sequence* sequence, int32_t count) {
  const PromptRows prompt_rows = WantedPromptRows(*sequence, count);
  plan_.shares.push_back({.sequence = sequence,
                          .row_count = count,
                          .position_begin = sequence->tokens_computed,
                          .prompt_outputs = prompt_rows.count,
                          .prompt_position_begin = prompt_rows.begin,
                          .samples = count == sequence->tokens_behind()});
  prompt_rows_left_ -= prompt_rows.count;
  sequence->step_planned = step_;
}

// Rows of answers come first.
void Scheduler::LayOutRows() {
  for (const bool answers : {true, false}) {
    for (PlannedRows& share : plan_.shares) {
      if ((share.position_begin >= share.sequence->prompt_tokens) == answers) LayOut(share);
    }
    if (answers) plan_.prompt_begin = static_cast<int64_t>(plan_.tokens.size());
  }
}

void Scheduler::LayOut(PlannedRows& share) {
  share.row_begin = static_cast<int32_t>(plan_.tokens.size());
  share.output_begin = static_cast<int32_t>(plan_.output_rows.size());
  for (int32_t i = 0; i < share.row_count; ++i) {
    plan_.tokens.push_back(share.sequence->tokens[static_cast<size_t>(share.position_begin + i)]);
    plan_.positions.push_back(share.position_begin + i);
  }
  for (int32_t i = 0; i < share.prompt_outputs; ++i) {
    plan_.output_rows.push_back(share.row_begin + share.prompt_position_begin - share.position_begin + i);
  }
  if (share.samples) plan_.output_rows.push_back(share.row_begin + share.row_count - 1);
  plan_.sequences.push_back({share.row_begin, share.row_count, share.position_begin, share.sequence->blocks});
}

// Makes the blocks of the next `count` positions writable; returns for how many it could.
int32_t Scheduler::EnsureBlocks(Sequence* sequence, int32_t count) {
  const int32_t position = sequence->tokens_computed;
  std::vector<int32_t>& blocks = sequence->blocks;
  if (position % kBlockTokens != 0 && count > 0 && pool_.references(blocks.back()) > 1) {
    const int32_t copy = TakeBlock(*sequence);
    if (copy < 0) return 0;
    plan_.copies.push_back({.from = blocks.back(), .to = copy});
    pool_.Unref(blocks.back(), false);
    blocks.back() = copy;
    ++counters_.block_copies;
  }
  while (static_cast<int32_t>(blocks.size()) < BlocksFor(position + count)) {
    const int32_t block = TakeBlock(*sequence);
    if (block < 0) break;
    blocks.push_back(block);
  }
  return std::min(count, static_cast<int32_t>(blocks.size()) * kBlockTokens - position);
}

// A block to write to, from the pool or from a victim; -1 where `sequence` must wait for a later
// step.
int32_t Scheduler::TakeBlock(const Sequence& sequence) {
  while (true) {
    const int32_t block = pool_.Allocate();
    if (block >= 0) {
      cache_.Forget(block);
      return block;
    }
    Sequence* victim = ChooseVictim(running_, sequence, step_);
    if (victim == nullptr) return -1;
    Preempt(victim);
  }
}

void Scheduler::ReleaseBlocks(Sequence* sequence) {
  // Tail first: a child is evicted before its parent.
  while (!sequence->blocks.empty()) {
    const int32_t block = sequence->blocks.back();
    pool_.Unref(block, cache_.Holds(block));
    sequence->blocks.pop_back();
  }
  sequence->tokens_computed = 0;
  sequence->blocks_shared = 0;
}

PrefixCache::Key Scheduler::KeyOf(const Sequence& sequence, int32_t block_index) const {
  const auto index = static_cast<size_t>(block_index);
  const std::span<const int32_t> tokens(sequence.tokens);
  return {.parent_block = index == 0 ? -1 : sequence.blocks[index - 1],
          .salt = sequence.cache_salt,
          .tokens = tokens.subspan(index * kBlockTokens, kBlockTokens)};
}

// Whether the sequence stands at a block's beginning and may take that block from elsewhere: its
// last token is always computed, for its logits, and so are prompt positions whose logits are
// wanted.
bool Scheduler::MayReuseNextBlock(const Sequence& sequence) const {
  if (!options_.prefix_cache || sequence.tokens_computed % kBlockTokens != 0) return false;
  int32_t reusable = std::min(sequence.tokens_wanted() - 1, ShareableTokens(sequence));
  if (sequence.wants_prompt_rows && sequence.prompt_rows_done < sequence.prompt_tokens - 1) {
    reusable = std::min(reusable, sequence.prompt_rows_done);
  }
  return sequence.tokens_computed + kBlockTokens <= reusable;
}

// Leading tokens whose keys and values are the same bits in every sequence that begins with them.
int32_t Scheduler::ShareableTokens(const Sequence& sequence) const {
  return options_.answers_apart ? sequence.prompt_tokens : sequence.tokens_wanted();
}

void Scheduler::ExtendFromCache(Sequence* sequence) {
  while (MayReuseNextBlock(*sequence)) {
    const int32_t block =
        cache_.Find(KeyOf(*sequence, static_cast<int32_t>(sequence->blocks.size())));
    if (block < 0) return;
    pool_.Ref(block);
    sequence->blocks.push_back(block);
    ++sequence->blocks_shared;
    sequence->tokens_computed += kBlockTokens;
    if (sequence->restarted) continue;
    sequence->cached_tokens += kBlockTokens;
    counters_.prefix_hits_tokens += static_cast<uint64_t>(kBlockTokens);
  }
}

// Whether a sequence of this step computes the very block that `sequence` needs next. Blocks are
// shared as soon as they are full, so equal predecessors are the same block.
bool Scheduler::IsComputedByOther(const Sequence& sequence) const {
  if (!MayReuseNextBlock(sequence)) return false;
  const int32_t begin = sequence.tokens_computed;
  const int32_t end = begin + kBlockTokens;
  const auto wanted = sequence.tokens.begin() + begin;
  for (const PlannedRows& share : plan_.shares) {
    const Sequence& other = *share.sequence;
    if (share.position_begin >= end || share.position_begin + share.row_count <= begin) continue;
    if (ShareableTokens(other) < end) continue;
    if (!std::equal(wanted, wanted + kBlockTokens, other.tokens.begin() + begin)) continue;
    const bool same_parent =
        begin == 0 ? other.cache_salt == sequence.cache_salt
                   : other.blocks[sequence.blocks.size() - 1] == sequence.blocks.back();
    if (same_parent) return true;
  }
  return false;
}

void Scheduler::Complete() {
  for (const PlannedRows& share : plan_.shares) {
    Sequence* sequence = share.sequence;
    sequence->tokens_computed += share.row_count;
    if (share.prompt_outputs > 0)
      sequence->prompt_rows_done = share.prompt_position_begin + share.prompt_outputs;
    ShareFullBlocks(sequence);
  }
}

// Offers newly filled blocks to the prefix cache. Where it knows the same tokens in another block,
// that one is used from now on: the bytes are the same, since a row's bits depend on its tokens
// and its kind only.
void Scheduler::ShareFullBlocks(Sequence* sequence) {
  if (!options_.prefix_cache) return;
  const int32_t tokens = std::min(sequence->tokens_computed, ShareableTokens(*sequence));
  while (sequence->blocks_shared < tokens / kBlockTokens) {
    int32_t& block = sequence->blocks[static_cast<size_t>(sequence->blocks_shared)];
    const int32_t known = cache_.Insert(KeyOf(*sequence, sequence->blocks_shared), block);
    if (known != block) {
      pool_.Ref(known);
      pool_.Unref(block, false);
      block = known;
    }
    ++sequence->blocks_shared;
  }
}

void Scheduler::Append(Sequence* sequence, int32_t token) {
  PT_CHECK(sequence->tokens_behind() == 0, "a token is drawn after the last known one is computed");
  sequence->tokens.push_back(token);
  ++sequence->share->tokens_served;
}

Sequence* Scheduler::Fork(Sequence* sequence, Choice* maybe_choice) {
  PT_CHECK(sequence->running && sequence->forks > 1 && sequence->tokens_behind() == 0,
           "a sequence forks once its prompt is computed");
  auto owned = std::make_unique<Sequence>(*sequence);
  Sequence* fork = owned.get();
  fork->forks = 1;
  fork->fork_index = ++sequence->forks_made;
  fork->wants_prompt_rows = false;
  fork->maybe_choice = maybe_choice;
  --sequence->forks;
  for (const int32_t block : fork->blocks) pool_.Ref(block);
  waiting_.Join(fork->share->key);
  sequences_.emplace(fork, std::move(owned));
  Place(fork);
  return fork;
}

void Scheduler::CheckInvariants() const {
  std::vector<int32_t> users(static_cast<size_t>(pool_.blocks()), 0);
  int32_t waiting = 0;
  for (const auto& [sequence, owned] : sequences_) {
    waiting += sequence->running ? 0 : 1;
    PT_CHECK(sequence->running || sequence->blocks.empty(), "a waiting sequence holds no blocks");
    PT_CHECK(static_cast<int32_t>(sequence->blocks.size()) == BlocksFor(sequence->tokens_computed),
             "blocks hold exactly the computed tokens");
    for (const int32_t block : sequence->blocks) ++users[static_cast<size_t>(block)];
  }
  int32_t used = 0;
  for (int32_t block = 0; block < pool_.blocks(); ++block) {
    PT_CHECK(users[static_cast<size_t>(block)] == pool_.references(block),
             "reference counts add up");
    used += users[static_cast<size_t>(block)] > 0 ? 1 : 0;
  }
  PT_CHECK(used == pool_.used_blocks(), "free blocks are those without users");
  PT_CHECK(waiting == waiting_.size(), "the queue holds those that wait");
  PT_CHECK(sequences_.size() == running_.size() + static_cast<size_t>(waiting), "none is lost");
  PT_CHECK(std::is_sorted(running_.begin(), running_.end(),
                          [](const Sequence* a, const Sequence* b) { return RanksBefore(*a, *b); }),
           "running sequences are in order of rank");
  PT_CHECK(cache_.ParentsAreKnown(), "a cached block's parent is cached");
}

}  // namespace pingti::runtime
