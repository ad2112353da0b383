// FakeKv: KV memory that remembers what was written, to prove that block tables are right. A cell
// holds the token, the salt and a digest of all tokens before it; reading back a sequence's
// positions finds wrong sharing, missing copies and stale blocks. For tests only; one thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ops/kv_cache.h"
#include "runtime/random.h"

namespace pingti::runtime::testing {

// The digest of a prefix, one token at a time.
inline uint64_t ExtendDigest(uint64_t digest, int32_t token) {
  return MixBits(digest ^ static_cast<uint32_t>(token));
}
inline uint64_t SaltDigest(std::string_view salt) {
  uint64_t digest = 1;
  for (const char c : salt) digest = ExtendDigest(digest, c);
  return digest;
}
// The fake model: the token after a prefix.
inline int32_t NextToken(uint64_t digest, int32_t choice, int32_t vocab_size) {
  const uint64_t bits = MixBits(digest ^ static_cast<uint64_t>(choice) << 32);
  return static_cast<int32_t>(bits % static_cast<uint64_t>(vocab_size));
}

class FakeKv final {
 public:
  explicit FakeKv(int32_t blocks) : cells_(static_cast<size_t>(blocks) * ops::kBlockTokens, 0) {}

  void Copy(int32_t from, int32_t to) {
    for (int32_t i = 0; i < ops::kBlockTokens; ++i) At(to, i) = At(from, i);
  }
  // The digest of the tokens up to and including `position`, as stored.
  uint64_t& Cell(std::span<const int32_t> blocks, int32_t position) {
    return At(blocks[static_cast<size_t>(position / ops::kBlockTokens)],
              position % ops::kBlockTokens);
  }

 private:
  uint64_t& At(int32_t block, int32_t offset) {
    return cells_[static_cast<size_t>(block) * ops::kBlockTokens + static_cast<size_t>(offset)];
  }
  std::vector<uint64_t> cells_;
};

}  // namespace pingti::runtime::testing
