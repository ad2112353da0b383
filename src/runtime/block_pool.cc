#include "runtime/block_pool.h"

#include "base/check.h"

namespace pingti::runtime {

BlockPool::BlockPool(int32_t blocks)
    : counts_(static_cast<size_t>(blocks), 0),
      next_(static_cast<size_t>(blocks) + 1, blocks),
      previous_(static_cast<size_t>(blocks) + 1, blocks),
      kept_(static_cast<size_t>(blocks), 0) {
  PT_CHECK(blocks > 0, "a pool needs blocks");
  for (int32_t block = 0; block < blocks; ++block) Link(block, blocks);
}

int32_t BlockPool::Allocate() {
  if (free_blocks_ == 0) return -1;
  const int32_t block = next_[counts_.size()];
  Unlink(block);
  counts_[static_cast<size_t>(block)] = 1;
  return block;
}

void BlockPool::Ref(int32_t block) {
  if (counts_[Checked(block)]++ == 0) Unlink(block);
}

void BlockPool::Unref(int32_t block, bool keep_for_reuse) {
  int32_t& count = counts_[Checked(block)];
  PT_CHECK(count > 0, "a block was released more often than it was taken");
  if (--count > 0) return;
  kept_[static_cast<size_t>(block)] = keep_for_reuse ? 1 : 0;
  kept_blocks_ += keep_for_reuse ? 1 : 0;
  const int32_t end = blocks();
  Link(block, keep_for_reuse ? end : next_[static_cast<size_t>(end)]);
}

size_t BlockPool::Checked(int32_t block) const {
  PT_CHECK(block >= 0 && block < blocks(), "no such block");
  return static_cast<size_t>(block);
}

void BlockPool::Link(int32_t block, int32_t before) {
  const int32_t after = previous_[static_cast<size_t>(before)];
  next_[static_cast<size_t>(block)] = before;
  previous_[static_cast<size_t>(block)] = after;
  next_[static_cast<size_t>(after)] = block;
  previous_[static_cast<size_t>(before)] = block;
  ++free_blocks_;
}

void BlockPool::Unlink(int32_t block) {
  const int32_t before = previous_[static_cast<size_t>(block)];
  const int32_t after = next_[static_cast<size_t>(block)];
  next_[static_cast<size_t>(before)] = after;
  previous_[static_cast<size_t>(after)] = before;
  --free_blocks_;
  kept_blocks_ -= kept_[static_cast<size_t>(block)];
  kept_[static_cast<size_t>(block)] = 0;
}

}  // namespace pingti::runtime
