// forward_bench MODEL [PROMPT [DECODE [DEPTH [BATCH]]]]: a model's Forward alone, without scheduler
// or server: a prompt of PROMPT tokens in chunks of 512, then DECODE steps of BATCH sequences at
// depth DEPTH. Prints one JSON object. For a profile: perf record on it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "models/model.h"
#include "ops/kv_cache.h"

namespace pingti {
namespace {

constexpr int32_t kChunk = 512;

struct Sizes {
  int32_t prompt = 512;
  int32_t decode = 32;
  int32_t depth = 0;
  int32_t batch = 1;
};

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Bench final {
 public:
  Bench(models::Model& model, const Sizes& sizes) : model_(model) {
    const int32_t positions = std::max(sizes.prompt, sizes.depth + sizes.decode);
    blocks_per_sequence_ = (positions + ops::kBlockTokens - 1) / ops::kBlockTokens;
    cache_ = *ops::KvCache::Create(model.shape().kv, ops::KvType::kF16,
                                   blocks_per_sequence_ * sizes.batch);
    logits_.resize(static_cast<size_t>(model.shape().vocab_size) *
                   static_cast<size_t>(sizes.batch));
    for (int32_t i = 0; i < blocks_per_sequence_ * sizes.batch; ++i) blocks_.push_back(i);
  }

  // `rows` tokens of each of `sequences` sequences from `position` on.
  void Step(int32_t sequences, int32_t position, int32_t rows) {
    std::vector<int32_t> tokens;
    std::vector<int32_t> positions;
    std::vector<int32_t> outputs;
    std::vector<ops::SequenceRows> rows_of;
    for (int32_t s = 0; s < sequences; ++s) {
      const auto first = static_cast<size_t>(s * blocks_per_sequence_);
      rows_of.push_back(
          {.row_begin = static_cast<int32_t>(tokens.size()),
           .row_count = rows,
           .position_begin = position,
           .blocks = std::span(blocks_).subspan(first, static_cast<size_t>(blocks_per_sequence_))});
      for (int32_t i = 0; i < rows; ++i) {
        tokens.push_back((position + i) * 31 % 1000 + s);
        positions.push_back(position + i);
      }
      outputs.push_back(static_cast<int32_t>(tokens.size()) - 1);
    }
    model_.Forward(
        {.tokens = tokens, .positions = positions, .sequences = rows_of, .output_rows = outputs},
        *cache_, logits_.data());
  }

 private:
  models::Model& model_;
  int32_t blocks_per_sequence_ = 0;
  std::unique_ptr<ops::KvCache> cache_;
  std::vector<int32_t> blocks_;
  std::vector<float> logits_;
};

void Print(models::Model& model, const Sizes& sizes) {
  Bench bench(model, sizes);
  bench.Step(1, 0, 1);  // pages of the weights
  double begin = Seconds();
  for (int32_t at = 0; at < sizes.prompt; at += kChunk)
    bench.Step(1, at, std::min(kChunk, sizes.prompt - at));
  const double prompt_s = Seconds() - begin;
  begin = Seconds();
  for (int32_t i = 0; i < sizes.decode; ++i) bench.Step(sizes.batch, sizes.depth + i, 1);
  const double decode_s = Seconds() - begin;
  std::printf(
      "{\"prompt\": %d, \"prompt_tokens_per_s\": %.1f, \"decode\": %d, \"depth\": %d, \"batch\": "
      "%d, "
      "\"decode_tokens_per_s\": %.2f, \"decode_gb_per_s\": %.2f}\n",
      sizes.prompt, sizes.prompt / prompt_s, sizes.decode, sizes.depth, sizes.batch,
      sizes.decode * sizes.batch / decode_s,
      static_cast<double>(model.weight_bytes_per_token()) * sizes.decode / decode_s / 1e9);
}

int Run(const char* path, const Sizes& sizes) {
  const auto file = formats::OpenModelFile(path);
  if (!file.ok()) return std::fprintf(stderr, "%s\n", file.status().ToString().c_str()), 1;
  const Result<const kernels::KernelTable*> table = kernels::ProcessTable();
  if (!table.ok()) return std::fprintf(stderr, "%s\n", table.status().ToString().c_str()), 1;
  ThreadPool pool({});
  ops::Context ctx = {.pool = pool, .kernels = **table};
  models::LoadOptions options;
  options.rows_max = kChunk;
  if (const char* cache = std::getenv("PINGTI_REPACK_DIR"); cache != nullptr)
    options.repack_cache_dir = cache;
  const double begin = Seconds();
  const auto model = models::LoadModel(**file, ctx, options);
  if (!model.ok()) return std::fprintf(stderr, "%s\n", model.status().ToString().c_str()), 1;
  std::fprintf(stderr, "loaded in %.2f s\n", Seconds() - begin);
  Print(**model, sizes);
  return 0;
}

}  // namespace
}  // namespace pingti

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: forward_bench MODEL [PROMPT [DECODE [DEPTH [BATCH]]]]\n");
    return 2;
  }
  pingti::Sizes sizes;
  int32_t* const fields[] = {&sizes.prompt, &sizes.decode, &sizes.depth, &sizes.batch};
  for (int i = 2; i < argc && i < 6; ++i) *fields[i - 2] = std::atoi(argv[i]);
  return pingti::Run(argv[1], sizes);
}
