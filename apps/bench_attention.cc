// Attention alone: the engine's (tiles, online softmax) against the naive one (all scores, then
// their softmax, then the sum of values), both with this CPU's vector kernels and all threads, on
// the same keys and values.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <random>

#include "bench.h"
#include "ops/attention.h"

namespace pingti::apps {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int32_t kHeads = 12;  // of a model of 1.5 billion parameters with grouped queries
constexpr int32_t kKvHeads = 2;
constexpr int32_t kDim = 128;
constexpr int32_t kRowsMax = 256;  // queries: the last tokens of the context

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

class AttentionCase final {
 public:
  static Result<std::unique_ptr<AttentionCase>> Make(ops::Context& context, int32_t length) {
    std::unique_ptr<AttentionCase> made(new AttentionCase(context, length));
    const int32_t blocks = (length + ops::kBlockTokens - 1) / ops::kBlockTokens;
    PT_ASSIGN(made->cache_,
              ops::KvCache::Create(
                  {.layers = 1, .kv_heads = kKvHeads, .key_dim = kDim, .value_dim = kDim},
                  ops::KvType::kF16, blocks));
    made->Fill(blocks);
    return made;
  }

  // Seconds.
  double Flash() { return Run(ops::AttentionKind::kFlash, flash_); }
  double Naive() { return Run(ops::AttentionKind::kNaive, naive_); }
  double MaxDifference() const {
    double most = 0;
    for (size_t i = 0; i < flash_.size(); ++i)
      most = std::max(most, std::abs(static_cast<double>(flash_[i]) - naive_[i]));
    return most;
  }

 private:
  AttentionCase(ops::Context& context, int32_t length)
      : context_(context), length_(length), rows_(std::min(length, kRowsMax)) {}

  static float Scale() { return 1.0F / std::sqrt(static_cast<float>(kDim)); }
  static ops::Matrix Matrix(std::vector<float>& data, int32_t heads) {
    const int64_t cols = int64_t{heads} * kDim;
    return {data.data(), static_cast<int64_t>(data.size()) / cols, cols, cols};
  }
  ops::Matrix Queries() { return Matrix(queries_, kHeads); }

  double Run(ops::AttentionKind kind, std::vector<float>& out) {
    context_.attention = kind;
    const Clock::time_point begin = Clock::now();
    ops::Attention(context_, LastRows(), 0, {.heads = kHeads, .scale = Scale()}, Queries(), *cache_,
                   Matrix(out, kHeads));
    return SecondsSince(begin);
  }

  ops::Batch LastRows() {
    sequence_ = {
        .row_begin = 0, .row_count = rows_, .position_begin = length_ - rows_, .blocks = blocks_};
    return {.tokens = std::span(positions_).last(static_cast<size_t>(rows_)),
            .positions = std::span(positions_).last(static_cast<size_t>(rows_)),
            .sequences = std::span(&sequence_, 1),
            .output_rows = {}};
  }

  void Fill(int32_t blocks) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    const auto fill = [&](std::vector<float>& data, size_t size) {
      data.resize(size);
      for (float& x : data) x = normal(random);
    };
    const size_t kv = static_cast<size_t>(length_) * kKvHeads * kDim;
    fill(keys_, kv);
    fill(values_, kv);
    fill(queries_, static_cast<size_t>(rows_) * kHeads * kDim);
    flash_.resize(queries_.size());
    naive_.resize(queries_.size());
    blocks_.resize(static_cast<size_t>(blocks));
    std::iota(blocks_.begin(), blocks_.end(), 0);
    positions_.resize(static_cast<size_t>(length_));
    std::iota(positions_.begin(), positions_.end(), 0);
    sequence_ = {.row_begin = 0, .row_count = length_, .position_begin = 0, .blocks = blocks_};
    const ops::Batch all{.tokens = positions_,
                         .positions = positions_,
                         .sequences = std::span(&sequence_, 1),
                         .output_rows = {}};
    ops::WriteKv(context_, all, 0, Matrix(keys_, kKvHeads), Matrix(values_, kKvHeads), *cache_);
  }

  ops::Context& context_;
  int32_t length_, rows_;
  std::unique_ptr<ops::KvCache> cache_;
  std::vector<float> keys_, values_;            // [length, kv_heads, dim]
  std::vector<float> queries_, flash_, naive_;  // [rows, heads, dim]
  std::vector<int32_t> blocks_, positions_;
  ops::SequenceRows sequence_;
};

}  // namespace

Status BenchAttention(ops::Context& context, const BenchOptions& options, BenchReport& report) {
  const std::vector<int64_t> sizes =
      options.sizes.empty() ? std::vector<int64_t>{512, 2048, 8192} : options.sizes;
  for (const int64_t size : sizes) {
    PT_ASSIGN(const std::unique_ptr<AttentionCase> attention,
              AttentionCase::Make(context, static_cast<int32_t>(size)));
    attention->Flash();
    attention->Naive();
    for (int32_t round = 0; round < options.Rounds(); ++round) {
      const double flash = attention->Flash();
      const double naive = attention->Naive();
      report.Row(fmt::format("flash_{}", size), "ms").values.push_back(flash * 1000);
      report.Row(fmt::format("naive_{}", size), "ms").values.push_back(naive * 1000);
      report.Row(fmt::format("ratio_{}", size), "x").values.push_back(naive / flash);
    }
    report.Row(fmt::format("difference_{}", size), "max")
        .values.push_back(attention->MaxDifference());
  }
  return Status::Ok();
}

}  // namespace pingti::apps
