#include "runtime/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace pingti::runtime {

StopMatcher::Found StopMatcher::Append(std::string_view piece) {
  Found found;
  if (stops_.empty()) {
    found.text = piece;
    return found;
  }
  pending_ += piece;
  size_t end = std::string::npos;
  const std::string* stop = nullptr;
  for (const std::string& candidate : stops_) {
    const size_t at = pending_.find(candidate);
    if (at == std::string::npos) continue;
    const size_t candidate_end = at + candidate.size();
    const bool longer = stop != nullptr && candidate.size() > stop->size();
    if (candidate_end > end || (candidate_end == end && !longer)) continue;
    end = candidate_end;
    stop = &candidate;
  }
  if (stop != nullptr) {
    found.stopped = true;
    found.stop_text = *stop;
    found.text = pending_.substr(0, include_ ? end : end - stop->size());
    pending_.clear();
    return found;
  }
  const size_t shown = pending_.size() - HeldBytes();
  found.text = pending_.substr(0, shown);
  pending_.erase(0, shown);
  return found;
}

std::string StopMatcher::Flush() { return std::exchange(pending_, {}); }

// The longest end of the pending text that is the beginning of a stop text.
size_t StopMatcher::HeldBytes() const {
  size_t held = 0;
  for (const std::string& stop : stops_) {
    for (size_t length = std::min(stop.size() - 1, pending_.size()); length > held; --length) {
      if (pending_.ends_with(std::string_view(stop).substr(0, length))) held = length;
    }
  }
  return held;
}

}  // namespace pingti::runtime
