// What `pingti bench` measures, as rows of one report. Each bench is a function in a file of its
// own (bench_*.cc).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "kernels/machine_limits.h"
#include "local_engine.h"

namespace pingti::apps {

struct BenchOptions {
  kernels::MachineLimits limits;  // of this machine, measured in this run
  int32_t rounds = 0;             // 0: five, or two where quick
  bool quick = false;
  std::vector<int64_t> sizes;  // batch sizes, contexts; empty: the bench's own
  int32_t concurrency = 32;
  int32_t prompt_tokens = 128;  // of batch and throughput
  int32_t output_tokens = 128;

  int32_t Rounds() const { return rounds > 0 ? rounds : quick ? 2 : 5; }
};

// One measured quantity: a value a round.
struct BenchRow {
  std::string name;  // "prefill_512"
  std::string unit;  // "tok/s", "ms", "x"
  std::vector<double> values;
  double limit = 0;        // in the same unit; 0: none is known
  std::string limit_name;  // "memory", "int8", "bf16"

  double Median() const;
  double Min() const;
  double Max() const;
};

class BenchReport final {
 public:
  // The row of that name, made at its first value.
  BenchRow& Row(const std::string& name, const std::string& unit);
  const std::vector<BenchRow>& rows() const { return rows_; }
  json::object& facts() {
    return facts_;
  }  // what the figures belong to: model, threads, kernels ...

  std::string Table() const;  // for a terminal
  std::string Json() const;

 private:
  std::vector<BenchRow> rows_;
  json::object facts_;
};

// Prefill and decode of one sequence, decode of many, time to first token.
Status BenchEngine(LocalEngine& engine, const BenchOptions& options, BenchReport& report);
// Aggregate decode by batch size; the ratio of the last size to the first.
Status BenchBatch(LocalEngine& engine, const BenchOptions& options, BenchReport& report);
// Tokens a second of `concurrency` requests from the first to the last byte, prompts included.
Status BenchThroughput(LocalEngine& engine, const BenchOptions& options, BenchReport& report);
// Tiled attention with online softmax against the naive one, by context; needs no model.
Status BenchAttention(ops::Context& context, const BenchOptions& options, BenchReport& report);

}  // namespace pingti::apps
