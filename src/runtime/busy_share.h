// BusyShare: which part of the time the engine computes, as a mean in which the latest seconds
// weigh most: a gauge of load beside the size of the batch. A value; time is the caller's.
#pragma once

#include <algorithm>
#include <cmath>

namespace pingti::runtime {

class BusyShare final {
 public:
  static constexpr double kMemorySeconds = 5;  // what is so long ago weighs 1/e

  // Of the last `elapsed_seconds`, `busy_seconds` were spent in steps.
  void Note(double busy_seconds, double elapsed_seconds) {
    if (!(elapsed_seconds > 0)) return;
    const double share = std::clamp(busy_seconds / elapsed_seconds, 0.0, 1.0);
    value_ = share + (value_ - share) * std::exp(-elapsed_seconds / kMemorySeconds);
  }
  double value() const { return value_; }  // [0, 1]

 private:
  double value_ = 0;
};

}  // namespace pingti::runtime
