// BlockPool: who uses which KV block: reference counts and the list of free blocks, least recently
// used first.
//
// A block whose count falls to zero goes to the free list: to its front when its bytes are of no
// use to anyone, to its back when the prefix cache may want them again. Taking from the front
// therefore evicts the oldest reusable block last. Knows nothing of tokens or bytes. Owned by the
// scheduler; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pingti::runtime {

class BlockPool final {
 public:
  explicit BlockPool(int32_t blocks);

  int32_t blocks() const { return static_cast<int32_t>(counts_.size()); }
  int32_t free_blocks() const { return free_blocks_; }
  // Of the free ones, those kept for reuse.
  int32_t kept_blocks() const { return kept_blocks_; }
  int32_t used_blocks() const { return blocks() - free_blocks_; }
  int32_t references(int32_t block) const { return counts_[Checked(block)]; }

  // A block with one reference, or -1 when all are in use.
  int32_t Allocate();
  // One more user of `block`, which may be in use or free.
  void Ref(int32_t block);
  // One user less. A block without users is kept for reuse (at the back of the free list) or not
  // (at its front).
  void Unref(int32_t block, bool keep_for_reuse);

 private:
  // A doubly linked list through arrays; node blocks() is the list's head and end.
  size_t Checked(int32_t block) const;
  void Link(int32_t block, int32_t before);
  void Unlink(int32_t block);

  std::vector<int32_t> counts_;  // [blocks]
  std::vector<int32_t> next_;    // [blocks + 1]
  std::vector<int32_t> previous_;
  std::vector<uint8_t> kept_;  // [blocks]: free and kept for reuse
  int32_t free_blocks_ = 0;
  int32_t kept_blocks_ = 0;
};

}  // namespace pingti::runtime
