#include "runtime/distribution.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

namespace pingti::runtime {
namespace {

constexpr size_t kLanes = 16;  // independent accumulators, so that the compiler may use vectors
constexpr size_t kBlock = 64;  // logits per entry of block_max_
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

float MaxOf(const float* x, size_t count) {
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, kMinusInfinity);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = x[i + lane] > lanes[lane] ? x[i + lane] : lanes[lane];
    }
  }
  float max = *std::max_element(lanes, lanes + kLanes);
  for (; i < count; ++i) max = x[i] > max ? x[i] : max;
  return max;
}

bool Better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

}  // namespace

float FastExp(float x) {
  // exp(x) = 2^n * exp(f) with n = round(x / ln 2) and |f| <= ln(2) / 2; a Taylor polynomial for
  // exp(f).
  constexpr float kLowest = -87.0F;
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693145752F;
  constexpr float kLn2Low = 1.42860677e-6F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float clamped = x > kLowest ? x : kLowest;
  const float rounded = clamped * kLog2E + kRound;
  const float n = rounded - kRound;
  const float f = (clamped - n * kLn2High) - n * kLn2Low;
  float p = 1.0F / 720.0F;
  p = p * f + 1.0F / 120.0F;
  p = p * f + 1.0F / 24.0F;
  p = p * f + 1.0F / 6.0F;
  p = p * f + 0.5F;
  p = p * f + 1.0F;
  p = p * f + 1.0F;
  constexpr int32_t kExponentBits = 23;
  const int32_t exponent = static_cast<int32_t>(n) * (1 << kExponentBits);
  const float result = std::bit_cast<float>(std::bit_cast<int32_t>(p) + exponent);
  return x > kLowest ? result : 0.0F;
}

double SumExp(std::span<const float> logits, float max, float scale) {
  constexpr size_t kChunk = 1024;  // floats are added up to this many, then as double
  double sum = 0;
  size_t i = 0;
  while (i + kLanes <= logits.size()) {
    const size_t end = std::min(logits.size() - logits.size() % kLanes, i + kChunk);
    float lanes[kLanes] = {};
    for (; i + kLanes <= end; i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane)
        lanes[lane] += FastExp((logits[i + lane] - max) * scale);
    }
    for (const float lane : lanes) sum += static_cast<double>(lane);
  }
  for (; i < logits.size(); ++i) sum += static_cast<double>(FastExp((logits[i] - max) * scale));
  return sum;
}

double LogSumExp(std::span<const float> logits, float max) {
  return static_cast<double>(max) + std::log(SumExp(logits, max, 1.0F));
}

void Ranking::Reset(std::span<const float> logits) {
  logits_ = logits;
  sorted_valid_ = false;
  block_max_.clear();
  max_ = kMinusInfinity;
  best_ = -1;
  size_t best_block = 0;
  for (size_t begin = 0; begin < logits.size(); begin += kBlock) {
    const float block = MaxOf(logits.data() + begin, std::min(kBlock, logits.size() - begin));
    block_max_.push_back(block);
    if (block <= max_) continue;
    max_ = block;
    best_block = begin;
  }
  if (max_ == kMinusInfinity) return;
  size_t best = best_block;
  while (!(logits[best] == max_)) ++best;
  best_ = static_cast<int32_t>(best);
}

void Ranking::Collect(float threshold) {
  sorted_.clear();
  for (size_t block = 0; block < block_max_.size(); ++block) {
    if (block_max_[block] < threshold) continue;
    const size_t begin = block * kBlock;
    const size_t end = std::min(begin + kBlock, logits_.size());
    for (size_t i = begin; i < end; ++i) {
      if (logits_[i] >= threshold) sorted_.push_back({static_cast<int32_t>(i), logits_[i]});
    }
  }
  std::sort(sorted_.begin(), sorted_.end(), Better);
  sorted_threshold_ = threshold;
  sorted_valid_ = true;
}

std::span<const Candidate> Ranking::Top(int32_t count) {
  const auto wanted = static_cast<size_t>(count);
  if (sorted_valid_ && sorted_.size() >= wanted) return sorted_;
  // The count-th largest block maximum: at least `count` logits reach it, and few more.
  float threshold = kMinusInfinity;
  if (wanted > 0 && wanted <= block_max_.size()) {
    scratch_ = block_max_;
    const auto nth = scratch_.begin() + static_cast<ptrdiff_t>(wanted - 1);
    std::nth_element(scratch_.begin(), nth, scratch_.end(), std::greater<>());
    threshold = *nth;
  }
  if (!sorted_valid_ || threshold < sorted_threshold_) Collect(threshold);
  return sorted_;
}

std::span<const Candidate> Ranking::AtLeast(float threshold) {
  if (!sorted_valid_ || threshold < sorted_threshold_) Collect(threshold);
  const auto end =
      std::partition_point(sorted_.begin(), sorted_.end(),
                           [threshold](const Candidate& c) { return c.logit >= threshold; });
  return {sorted_.data(), static_cast<size_t>(end - sorted_.begin())};
}

}  // namespace pingti::runtime
