#include "runtime/admission.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace pingti::runtime {
namespace {

// Books of keys without work are kept so that a key does not lose its debt by a short pause; not
// more than this many.
constexpr size_t kSharesKept = 4096;

}  // namespace

FairShare* AdmissionQueue::Join(const std::string& fairness_key) {
  if (shares_.size() > kSharesKept) DropIdleShares();
  std::unique_ptr<FairShare>& slot = shares_[fairness_key];
  if (slot == nullptr) slot = std::make_unique<FairShare>(FairShare{.key = fairness_key});
  if (slot->sequences++ > 0) return slot.get();
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const auto& [key, share] : shares_) {
    if (share->sequences > 0 && share != slot) least = std::min(least, share->tokens_served);
  }
  if (least != std::numeric_limits<int64_t>::max()) {
    slot->tokens_served = std::max(slot->tokens_served, least);
  }
  return slot.get();
}

void AdmissionQueue::Leave(FairShare* share) {
  PT_CHECK(share->sequences > 0, "a fairness key was left more often than joined");
  --share->sequences;
}

void AdmissionQueue::DropIdleShares() {
  std::erase_if(shares_, [](const auto& item) { return item.second->sequences == 0; });
}

void AdmissionQueue::Add(Sequence* sequence) {
  levels_[sequence->priority].by_key[sequence->share].push_back(sequence);
  ++size_;
}

void AdmissionQueue::AddPreempted(Sequence* sequence) {
  std::vector<Sequence*>& preempted = levels_[sequence->priority].preempted;
  const auto place =
      std::upper_bound(preempted.begin(), preempted.end(), sequence,
                       [](const Sequence* a, const Sequence* b) { return RanksBefore(*a, *b); });
  preempted.insert(place, sequence);
  ++size_;
}

Sequence* AdmissionQueue::NextOf(const Level& level) {
  if (!level.preempted.empty()) return level.preempted.front();
  const FairShare* best_share = nullptr;
  Sequence* best = nullptr;
  for (const auto& [share, waiting] : level.by_key) {
    Sequence* first = waiting.front();
    const bool better = best == nullptr || share->tokens_served < best_share->tokens_served ||
                        (share->tokens_served == best_share->tokens_served &&
                         first->arrival_serial < best->arrival_serial);
    if (!better) continue;
    best = first;
    best_share = share;
  }
  return best;
}

Sequence* AdmissionQueue::Next() const {
  return levels_.empty() ? nullptr : NextOf(levels_.begin()->second);
}

void AdmissionQueue::Remove(Sequence* sequence) {
  const auto level = levels_.find(sequence->priority);
  PT_CHECK(level != levels_.end(), "the sequence does not wait");
  if (std::erase(level->second.preempted, sequence) == 0) {
    const auto waiting = level->second.by_key.find(sequence->share);
    PT_CHECK(waiting != level->second.by_key.end(), "the sequence does not wait");
    PT_CHECK(std::erase(waiting->second, sequence) == 1, "the sequence does not wait");
    if (waiting->second.empty()) level->second.by_key.erase(waiting);
  }
  --size_;
  if (level->second.preempted.empty() && level->second.by_key.empty()) levels_.erase(level);
}

}  // namespace pingti::runtime
