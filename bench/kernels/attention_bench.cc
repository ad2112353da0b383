// Attention alone: one layer's worth of work repeated over all layers of a model's shape, so that decoding reads its
// keys and values from memory as in the real thing. Prints what share of this machine's measured memory bandwidth
// (decode) and F32 multiply-add peak (prompt) is reached.
//
//   attention_bench [--shape 1.5b|135m|8b] [--kv f16|bf16|q8] [--depth N] [--rows N] [--batch N] [--threads N]
//                   [--naive 1]   also the attention that materialises its scores: speed ratio and largest difference
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "ops/attention_naive.h"

namespace pingti {
namespace {

// The wall clock; with --threads 1 the thread's own CPU time, which other processes disturb less.
bool single_thread = false;
struct Clock {
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<std::chrono::steady_clock, duration>;
  static time_point now() {
    timespec t = {};
    clock_gettime(single_thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return time_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
  }
};

struct ModelShape {
  int32_t layers, heads, kv_heads, dim;
};
const std::map<std::string, ModelShape> kShapes = {
    {"1.5b", {28, 12, 2, 128}}, {"135m", {30, 9, 3, 64}}, {"8b", {32, 32, 8, 128}}, {"0.5b", {24, 14, 2, 64}}};

struct Flags {
  std::string shape = "1.5b";
  std::string kv = "f16";
  int32_t depth = 4096;
  int32_t rows = 1;  // of each sequence, at the end of `depth` positions
  int32_t batch = 1;
  int threads = 0;
  bool naive = false;
};

double Seconds(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double BandwidthGBs(ops::Context& ctx) {
  std::vector<float> data(size_t{96} << 20, 1.0F);  // 384 MiB: beyond any share of a cache
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const auto begin = Clock::now();
    ctx.pool.ForEach(data.size(), 1 << 20, [&](size_t from, size_t to) {
      volatile float max = ctx.kernels.vector.max(data.data() + from, static_cast<int64_t>(to - from));
      (void)max;
    });
    best = std::max(best, static_cast<double>(data.size() * sizeof(float)) / Seconds(begin) / 1e9);
  }
  return best;
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) float FmaLoop512(int64_t steps) {
  using V = float __attribute__((vector_size(64)));
  V sums[12] = {};
  const V a = V{} + 1.0F;
  V b = V{} + 0.5F;
  for (int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) asm volatile("vfmadd231ps %1, %2, %0" : "+v"(sum) : "v"(a), "v"(b));
  }
  float total = 0;
  for (const auto& sum : sums) total += sum[0];
  return total;
}
#endif

double PeakGflops(ops::Context& ctx) {
#if defined(__x86_64__)
  if (ctx.kernels.level < kernels::IsaLevel::kAvx512) return 0;
  constexpr int64_t kSteps = 4'000'000;
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const auto begin = Clock::now();
    ctx.pool.Run([&](int) {
      volatile float x = FmaLoop512(kSteps);
      (void)x;
    });
    best = std::max(best, ctx.pool.size() * kSteps * 12.0 * 32 / Seconds(begin) / 1e9);
  }
  return best;
#else
  (void)ctx;
  return 0;
#endif
}

// The best of at least three calls and two seconds.
template <typename F>
double BestSeconds(F&& call) {
  double best = 1e9;
  const auto start = Clock::now();
  for (int pass = 0; pass < 3 || (Seconds(start) < 2 && pass < 200); ++pass) {
    const auto begin = Clock::now();
    call();
    best = std::min(best, Seconds(begin));
  }
  return best;
}

// One layer of both.
void CompareWithNaive(ops::Context& ctx, const ops::Batch& batch, const ops::AttentionOptions& options, ops::Matrix q,
                      ops::KvCache& cache, ops::Matrix out) {
  std::vector<float> data(static_cast<size_t>(out.rows * out.stride));
  const ops::Matrix naive{data.data(), out.rows, out.cols, out.stride};
  const double naive_s = BestSeconds([&] { ops::AttentionNaive(ctx, batch, 0, options, q, cache, naive); });
  const double fused_s = BestSeconds([&] { ops::Attention(ctx, batch, 0, options, q, cache, out); });
  float largest = 0;
  for (size_t i = 0; i < data.size(); ++i) largest = std::max(largest, std::fabs(data[i] - out.data[i]));
  std::printf("naive %.3f ms, fused %.3f ms a layer: %.2fx, largest difference %.2g\n", naive_s * 1e3, fused_s * 1e3,
              naive_s / fused_s, static_cast<double>(largest));
}

int Run(const Flags& flags) {
  const auto shape = kShapes.find(flags.shape);
  const auto type = ops::ParseKvType(flags.kv);
  const auto table = kernels::ProcessTable();
  if (shape == kShapes.end() || !type.ok() || !table.ok()) {
    std::fprintf(stderr, "unknown --shape or --kv, or no kernel table\n");
    return 2;
  }
  const ModelShape& model = shape->second;
  single_thread = flags.threads == 1;
  ThreadPool pool({.threads = flags.threads});
  ops::Context ctx{pool, **table};
  const ops::KvShape kv{.layers = model.layers, .kv_heads = model.kv_heads, .key_dim = model.dim,
                        .value_dim = model.dim};
  const int32_t blocks_each = (flags.depth + ops::kBlockTokens - 1) / ops::kBlockTokens;
  auto cache = ops::KvCache::Create(kv, *type, blocks_each * flags.batch);
  if (!cache.ok()) return 2;

  std::vector<std::vector<int32_t>> tables(static_cast<size_t>(flags.batch));
  for (int32_t i = 0; i < blocks_each * flags.batch; ++i) tables[static_cast<size_t>(i % flags.batch)].push_back(i);
  const int64_t kv_cols = int64_t{model.kv_heads} * model.dim;
  const int64_t q_cols = int64_t{model.heads} * model.dim;
  std::vector<float> kv_rows(static_cast<size_t>(flags.depth * kv_cols));
  for (size_t i = 0; i < kv_rows.size(); ++i) kv_rows[i] = std::sin(static_cast<float>(i % 7919));
  const auto write = [&](int32_t layer) {
    for (const auto& blocks : tables) {
      const ops::SequenceRows rows{.row_begin = 0, .row_count = flags.depth, .position_begin = 0, .blocks = blocks};
      const ops::Batch batch{.tokens = {}, .positions = {}, .sequences = std::span(&rows, 1), .output_rows = {}};
      const ops::Matrix x{kv_rows.data(), flags.depth, kv_cols, kv_cols};
      ops::WriteKv(ctx, batch, layer, x, x, **cache);
    }
  };
  auto begin = Clock::now();
  for (int32_t layer = 0; layer < model.layers; ++layer) write(layer);
  const double write_first = Seconds(begin);
  begin = Clock::now();
  for (int32_t layer = 0; layer < model.layers; ++layer) write(layer);
  const double write_again = Seconds(begin);

  const int64_t rows_all = int64_t{flags.rows} * flags.batch;
  std::vector<float> queries(static_cast<size_t>(rows_all * q_cols), 0.1F);
  for (size_t i = 0; i < queries.size(); ++i) queries[i] = std::cos(static_cast<float>(i % 4001));
  std::vector<float> out(queries.size());
  std::vector<ops::SequenceRows> sequences;
  for (int32_t i = 0; i < flags.batch; ++i) {
    sequences.push_back({.row_begin = i * flags.rows, .row_count = flags.rows,
                         .position_begin = flags.depth - flags.rows, .blocks = tables[static_cast<size_t>(i)]});
  }
  const ops::Batch batch{.tokens = {}, .positions = {}, .sequences = sequences, .output_rows = {}};
  const ops::AttentionOptions options{.heads = model.heads, .scale = 0.088F};
  const ops::Matrix q{queries.data(), rows_all, q_cols, q_cols};
  const ops::Matrix o{out.data(), rows_all, q_cols, q_cols};
  const double best = BestSeconds([&] {
    for (int32_t layer = 0; layer < model.layers; ++layer) ops::Attention(ctx, batch, layer, options, q, **cache, o);
  });
  if (flags.naive) CompareWithNaive(ctx, batch, options, q, **cache, o);
  const double bytes = static_cast<double>(ops::KvCache::BlockBytes(kv, *type)) * blocks_each * flags.batch;
  const double seen = flags.batch * (static_cast<double>(flags.rows) * flags.depth - flags.rows * (flags.rows - 1) / 2.0);
  const double flops = seen * model.layers * model.heads * model.dim * 4;
  const double bandwidth = BandwidthGBs(ctx);
  const double peak = PeakGflops(ctx);
  std::printf("%s %s %s threads %d depth %d rows %d batch %d: %.3f ms, %.1f GB/s (%.0f %% of %.1f), %.1f GFLOP/s (%.0f %% of %.0f); "
              "write all %.1f ms, again %.1f ms\n",
              std::string(kernels::IsaLevelName(ctx.kernels.level)).c_str(), flags.shape.c_str(), flags.kv.c_str(),
              pool.size(), flags.depth, flags.rows, flags.batch, best * 1e3, bytes / best / 1e9,
              100 * bytes / best / 1e9 / bandwidth, bandwidth, flops / best / 1e9,
              peak > 0 ? 100 * flops / best / 1e9 / peak : 0, peak, write_first * 1e3, write_again * 1e3);
  return 0;
}

}  // namespace
}  // namespace pingti

int main(int argc, char** argv) {
  pingti::Flags flags;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--shape") flags.shape = argv[i + 1];
    if (name == "--kv") flags.kv = argv[i + 1];
    if (name == "--depth") flags.depth = std::atoi(argv[i + 1]);
    if (name == "--rows") flags.rows = std::atoi(argv[i + 1]);
    if (name == "--batch") flags.batch = std::atoi(argv[i + 1]);
    if (name == "--naive") flags.naive = std::atoi(argv[i + 1]) != 0;
    if (name == "--threads") flags.threads = std::atoi(argv[i + 1]);
  }
  return pingti::Run(flags);
}
