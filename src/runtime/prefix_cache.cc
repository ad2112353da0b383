#include "runtime/prefix_cache.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "ops/kv_cache.h"
#include "runtime/random.h"

namespace pingti::runtime {
namespace {

constexpr size_t kTokens = ops::kBlockTokens;

}  // namespace

PrefixCache::PrefixCache(const Options& options)
    : options_(options),
      entries_(static_cast<size_t>(options.blocks)),
      tokens_(static_cast<size_t>(options.blocks) * kTokens),
      buckets_(std::bit_ceil(static_cast<size_t>(options.blocks)), -1) {}

uint64_t PrefixCache::SerialOf(int32_t parent_block) const {
  if (parent_block < 0) return 0;
  const uint64_t serial = entries_[static_cast<size_t>(parent_block)].serial;
  PT_CHECK(serial != 0, "a block's parent must be in the prefix cache");
  return serial;
}

uint64_t PrefixCache::Hash(const Key& key) const {
  PT_CHECK(key.tokens.size() == kTokens, "only full blocks are cached");
  uint64_t hash = MixBits(options_.hash_seed ^ SerialOf(key.parent_block));
  if (key.parent_block < 0) {
    for (const char c : key.salt) hash = MixBits(hash ^ static_cast<unsigned char>(c));
    hash = MixBits(hash ^ key.salt.size());
  }
  for (size_t i = 0; i < kTokens; i += 2) {
    const auto low = static_cast<uint32_t>(key.tokens[i]);
    const auto high = static_cast<uint64_t>(static_cast<uint32_t>(key.tokens[i + 1]));
    hash = MixBits(hash ^ (high << 32 | low));
  }
  return hash & options_.hash_mask;
}

bool PrefixCache::Matches(const Entry& entry, const Key& key, int32_t block) const {
  if (entry.parent_serial != SerialOf(key.parent_block)) return false;
  if (key.parent_block < 0 && entry.salt != key.salt) return false;
  return std::equal(key.tokens.begin(), key.tokens.end(),
                    tokens_.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(block) * kTokens));
}

int32_t PrefixCache::Find(const Key& key) const {
  const uint64_t hash = Hash(key);
  for (int32_t block = buckets_[Bucket(hash)]; block >= 0;) {
    const Entry& entry = entries_[static_cast<size_t>(block)];
    if (entry.hash == hash && Matches(entry, key, block)) return block;
    block = entry.next;
  }
  return -1;
}

int32_t PrefixCache::Insert(const Key& key, int32_t block) {
  if (const int32_t known = Find(key); known >= 0) return known;
  Entry& entry = entries_[static_cast<size_t>(block)];
  PT_CHECK(entry.serial == 0, "a block cannot hold two prefixes");
  entry.serial = next_serial_++;
  entry.parent_serial = SerialOf(key.parent_block);
  entry.parent_block = key.parent_block;
  entry.hash = Hash(key);
  if (key.parent_block < 0) entry.salt = key.salt;
  std::copy(key.tokens.begin(), key.tokens.end(),
            tokens_.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(block) * kTokens));
  int32_t& head = buckets_[Bucket(entry.hash)];
  entry.next = head;
  head = block;
  ++entry_count_;
  return block;
}

void PrefixCache::Forget(int32_t block) {
  Entry& entry = entries_[static_cast<size_t>(block)];
  if (entry.serial == 0) return;
  int32_t* link = &buckets_[Bucket(entry.hash)];
  while (*link != block) link = &entries_[static_cast<size_t>(*link)].next;
  *link = entry.next;
  entry = Entry();
  --entry_count_;
}

bool PrefixCache::ParentsAreKnown() const {
  return std::all_of(entries_.begin(), entries_.end(), [this](const Entry& entry) {
    if (entry.serial == 0 || entry.parent_block < 0) return true;
    return entries_[static_cast<size_t>(entry.parent_block)].serial == entry.parent_serial;
  });
}

}  // namespace pingti::runtime
