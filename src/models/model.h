// Model: a loaded language model that turns a batch of tokens into logits. One file per family implements it and
// registers itself (registry.h). Weights are immutable; Forward is called by one engine thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "formats/model_file.h"
#include "ops/batch.h"
#include "ops/context.h"
#include "ops/kv_cache.h"

namespace pingti::models {

struct ModelShape {
  std::string architecture;    // "llama", "qwen2"
  int32_t vocab_size = 0;
  int32_t hidden = 0;
  int32_t heads = 0;
  int64_t context_length = 0;  // the longest sequence that the model was made for
  ops::KvShape kv;
  int64_t parameters = 0;
};

class Model {
 public:
  virtual ~Model() = default;

  virtual const ModelShape& shape() const = 0;
  // Bytes of weights that one decoded token reads (looked-up embedding rows do not count), and bytes held.
  virtual size_t weight_bytes_per_token() const = 0;
  virtual size_t weight_bytes() const = 0;

  // A prompt's rows have other bits than an answer's (ops/batch.h): what one has computed does not stand for the other.
  virtual bool has_prompt_path() const = 0;

  // Writes the batch's keys and values to `cache` and the logits of batch.output_rows to
  // logits [output_rows, vocab_size] (host memory). Batches of up to `rows_max` (LoadOptions) rows.
  virtual void Forward(const ops::Batch& batch, ops::KvCache& cache, float* logits) = 0;
};

struct LoadOptions {
  int32_t rows_max = 2048;                  // the largest batch; activations are allocated for it
  std::filesystem::path repack_cache_dir;   // where repacked weights are kept; empty: not kept
  uintmax_t repack_cache_bytes_max = 0;     // of all files there; the least recently used go. 0: three times this model's
  // Called now and then while loading: bytes of weights done and in all.
  std::function<void(size_t bytes_done, size_t bytes_all)> on_progress;
  // What went wrong without keeping the model from running: a damaged or unwritable cache of repacked weights.
  std::function<void(const std::string& message)> on_warning;
};

// Makes the model that `file`'s general.architecture names. The error lists the architectures that are known, or the tensor
// that is missing or has the wrong shape. `file` and `ctx` outlive the model.
Result<std::unique_ptr<Model>> LoadModel(const formats::ModelFile& file, ops::Context& ctx,
                                         const LoadOptions& options);

}  // namespace pingti::models
