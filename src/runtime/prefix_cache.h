// PrefixCache: which full KV blocks hold which tokens, so that a request finds what any earlier
// request computed.
//
// A block's key is (parent block's entry, its kBlockTokens token ids); a first block's parent is
// the request's salt. The keyed hash only finds candidates: token ids and parent are compared on
// every hit, so a collision costs time, never a wrong answer. The cache holds no references: an
// entry stays until the pool hands its block to someone else (Forget). A holder of a block holds
// its parents too and frees them later, so children are evicted before their parents. Owned by the
// scheduler; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pingti::runtime {

class PrefixCache final {
 public:
  struct Options {
    int32_t blocks = 0;
    uint64_t hash_seed = 0;  // keys the hash, so that outsiders cannot aim for collisions
    uint64_t hash_mask = ~uint64_t{0};  // tests force collisions with few bits
  };
  explicit PrefixCache(const Options& options);

  // What a full block continues: another block's entry, or (parent_block -1) nothing, under a salt.
  struct Key {
    int32_t parent_block = -1;
    std::string_view salt = {};            // used where parent_block is -1
    std::span<const int32_t> tokens = {};  // [kBlockTokens]
  };

  // The block that holds this, or -1.
  int32_t Find(const Key& key) const;
  // Says that `block` holds `key` now. Returns the block to use for it from now on: `block`, or the
  // one that was already known.
  int32_t Insert(const Key& key, int32_t block);
  // `block`'s bytes are about to be overwritten.
  void Forget(int32_t block);

  bool Holds(int32_t block) const { return entries_[static_cast<size_t>(block)].serial != 0; }
  int32_t entries() const { return entry_count_; }
  // Tests: the parent of each entry is an entry.
  bool ParentsAreKnown() const;

 private:
  struct Entry {
    uint64_t serial = 0;         // unique for each Insert; 0: no entry
    uint64_t parent_serial = 0;  // 0: first block of a sequence
    uint64_t hash = 0;
    int32_t parent_block = -1;
    int32_t next = -1;  // next block of the same bucket
    std::string salt;   // of a first block
  };

  uint64_t Hash(const Key& key) const;
  bool Matches(const Entry& entry, const Key& key, int32_t block) const;
  size_t Bucket(uint64_t hash) const { return static_cast<size_t>(hash) & (buckets_.size() - 1); }
  uint64_t SerialOf(int32_t parent_block) const;

  Options options_;
  std::vector<Entry> entries_;    // [blocks]
  std::vector<int32_t> tokens_;   // [blocks, kBlockTokens]
  std::vector<int32_t> buckets_;  // [a power of two >= blocks]: first block or -1
  uint64_t next_serial_ = 1;
  int32_t entry_count_ = 0;
};

}  // namespace pingti::runtime
