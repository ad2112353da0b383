// AdmissionQueue: the waiting sequences and which of them goes first.
//
// 1. Lower `priority` first. 2. Within a priority, a sequence that was running before (preempted)
// before one that was not. 3. Then the fairness key that was served the fewest tokens while it had
// work here (virtual token counter, Sheng et al., OSDI 2024): prompt tokens count when they are
// admitted, answer tokens when they are made. A key that comes back after a pause starts level with
// the least-served active key: idle time earns no credit. 4. Within a key, first come first served.
// Nobody overtakes the sequence that Next() names, so a large request is not starved by small ones.
// Owned by the scheduler; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/sequence.h"

namespace pingti::runtime {

// What one fairness key has had.
struct FairShare {
  std::string key;
  int64_t tokens_served = 0;
  int32_t sequences = 0;  // waiting and running
};

class AdmissionQueue final {
 public:
  // Joins the books of `fairness_key`: before Add, and for forks too; Leave when the sequence ends.
  FairShare* Join(const std::string& fairness_key);
  void Leave(FairShare* share);

  void Add(Sequence* sequence);           // a new one
  void AddPreempted(Sequence* sequence);  // one that was admitted before
  // The one that goes first; null when none waits. It stays in the queue until Remove.
  Sequence* Next() const;
  void Remove(Sequence* sequence);
  int32_t size() const { return size_; }
  size_t shares() const { return shares_.size(); }  // fairness keys with a book

 private:
  struct Level {
    std::vector<Sequence*> preempted;  // by rank
    std::map<FairShare*, std::deque<Sequence*>> by_key;
  };
  static Sequence* NextOf(const Level& level);
  void DropIdleShares();

  std::map<int32_t, Level> levels_;  // by priority; none is empty
  std::unordered_map<std::string, std::unique_ptr<FairShare>> shares_;
  int32_t size_ = 0;
};

}  // namespace pingti::runtime
