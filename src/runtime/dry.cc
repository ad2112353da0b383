#include "runtime/dry.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace pingti::runtime {

Dry::Dry(const SamplingParams& params, TokenText token_text, std::span<const int32_t> prompt)
    : params_(params), token_text_(std::move(token_text)) {
  if (!active()) return;
  for (const std::string& breaker : params_.dry_sequence_breakers) {
    breaker_bytes_max_ = std::max(breaker_bytes_max_, breaker.size());
  }
  for (const int32_t token : prompt) Accept(token);
}

void Dry::Accept(int32_t token) {
  if (!active()) return;
  const size_t before = tail_.size();
  tail_ += token_text_(token);
  ++since_breaker_;
  for (const std::string& breaker : params_.dry_sequence_breakers) {
    if (breaker.empty()) continue;
    // Only a breaker that ends in the new bytes.
    const size_t from = before >= breaker.size() ? before - breaker.size() + 1 : 0;
    if (tail_.find(breaker, from) != std::string::npos) since_breaker_ = 0;
  }
  const size_t keep = breaker_bytes_max_ > 0 ? breaker_bytes_max_ - 1 : 0;
  if (tail_.size() > keep) tail_.erase(0, tail_.size() - keep);
}

void Dry::Apply(std::span<const int32_t> history, std::span<float> logits) const {
  if (!active() || since_breaker_ == 0) return;
  if (params_.dry_penalty_last_n >= 0) {
    const size_t last = std::min(history.size(), static_cast<size_t>(params_.dry_penalty_last_n));
    history = history.last(last);
  }
  const auto n = static_cast<int64_t>(history.size());
  const auto reversed = [&](int64_t i) { return history[static_cast<size_t>(n - 1 - i)]; };
  // Z-algorithm on the reversed history: z[i] tokens before position i (from the end) repeat the
  // text's end.
  std::vector<int64_t> z(static_cast<size_t>(n), 0);
  std::unordered_map<int32_t, int64_t> longest;  // by the token that followed the repetition
  int64_t left = 0;
  int64_t right = 0;
  for (int64_t i = 1; i < n; ++i) {
    int64_t length = i < right ? std::min(right - i, z[static_cast<size_t>(i - left)]) : 0;
    while (i + length < n && reversed(length) == reversed(i + length)) ++length;
    z[static_cast<size_t>(i)] = length;
    if (i + length > right) {
      left = i;
      right = i + length;
    }
    const int64_t repeated = std::min(length, since_breaker_);
    if (repeated < params_.dry_allowed_length || repeated == 0) continue;
    int64_t& known = longest[reversed(i - 1)];
    known = std::max(known, repeated);
  }
  for (const auto& [token, length] : longest) {
    const auto exponent = static_cast<float>(length - params_.dry_allowed_length);
    const float penalty = params_.dry_multiplier * std::pow(params_.dry_base, exponent);
    logits[static_cast<size_t>(token)] -= std::min(penalty, 1e30F);
  }
}

}  // namespace pingti::runtime
