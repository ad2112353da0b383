#include "text/merges.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <queue>

#include "base/check.h"

namespace pingti::text {
namespace {

// Up to here a scan of all pairs for each merge beats a heap.
constexpr size_t kShortMax = 48;

}  // namespace

MergeTable::MergeTable(size_t count_max)
    : slots_(std::bit_ceil(std::max<size_t>(2 * count_max, 2))) {}

size_t MergeTable::Locate(Pair pair) const {
  const uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(pair.left)) << 32 |
                       static_cast<uint32_t>(pair.right);
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
  const size_t mask = slots_.size() - 1;
  size_t at = (key * kOdd >> 20) & mask;
  while (slots_[at].pair.left >= 0 &&
         (slots_[at].pair.left != pair.left || slots_[at].pair.right != pair.right)) {
    at = (at + 1) & mask;
  }
  return at;
}

void MergeTable::Add(Pair pair, Rule rule) {
  PT_CHECK(pair.left >= 0 && pair.right >= 0, "a merge rule is about tokens");
  Slot& slot = slots_[Locate(pair)];
  if (slot.pair.left < 0) slot = {pair, rule};
}

MergeTable::Rule MergeTable::Find(Pair pair) const {
  return pair.left < 0 || pair.right < 0 ? Rule{} : slots_[Locate(pair)].rule;
}

void MergeTable::Merge(std::vector<int32_t>& tokens) const {
  if (tokens.size() < 2) return;
  if (tokens.size() <= kShortMax) {
    MergeShort(tokens);
  } else {
    MergeLong(tokens);
  }
}

void MergeTable::MergeShort(std::vector<int32_t>& tokens) const {
  std::array<Rule, kShortMax> rules;  // of the pair (i, i + 1)
  size_t count = tokens.size();
  for (size_t i = 0; i + 1 < count; ++i) rules[i] = Find({tokens[i], tokens[i + 1]});
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (rules[i].rank < rules[best].rank) best = i;
    }
    if (rules[best].rank == kNone) break;
    tokens[best] = rules[best].token;
    std::copy(tokens.begin() + best + 2, tokens.begin() + count, tokens.begin() + best + 1);
    std::copy(rules.begin() + best + 1, rules.begin() + count - 1, rules.begin() + best);
    --count;
    if (best > 0) rules[best - 1] = Find({tokens[best - 1], tokens[best]});
    if (best + 1 < count) rules[best] = Find({tokens[best], tokens[best + 1]});
  }
  tokens.resize(count);
}

void MergeTable::MergeLong(std::vector<int32_t>& tokens) const {
  PT_CHECK(tokens.size() < kNone, "a piece has fewer than 2^32 bytes");
  const auto size = static_cast<uint32_t>(tokens.size());
  std::vector<uint32_t> next(size), previous(size);
  // Candidates as rank << 32 | position of the left token: the order of merging is the order of
  // these numbers.
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> candidates;
  const auto consider = [&](uint32_t left) {
    if (left >= size || next[left] >= size) return;
    const Rule rule = Find({tokens[left], tokens[next[left]]});
    if (rule.rank != kNone) candidates.push(static_cast<uint64_t>(rule.rank) << 32 | left);
  };
  for (uint32_t i = 0; i < size; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;  // wraps to kNone for the first, which is >= size
  }
  for (uint32_t i = 0; i < size; ++i) consider(i);
  while (!candidates.empty()) {
    const auto left = static_cast<uint32_t>(candidates.top());
    const auto rank = static_cast<uint32_t>(candidates.top() >> 32);
    candidates.pop();
    const uint32_t right = tokens[left] < 0 ? size : next[left];
    if (right >= size) continue;  // merged away, or the last by now
    const Rule rule = Find({tokens[left], tokens[right]});
    if (rule.rank != rank) continue;  // a neighbour has changed since
    tokens[left] = rule.token;
    tokens[right] = -1;
    next[left] = next[right];
    if (next[left] < size) previous[next[left]] = left;
    consider(previous[left]);
    consider(left);
  }
  std::erase(tokens, -1);
}

}  // namespace pingti::text
