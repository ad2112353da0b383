// Blocks: the pieces that decoder families are composed of: attention with grouped queries, the
// gated MLP, the output head, and the buffers that they work in. Weights are immutable after
// loading; Forward is the engine thread's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/config_reader.h"
#include "models/model.h"
#include "models/tensor_table.h"
#include "models/weight_loader.h"
#include "ops/attention.h"
#include "ops/batch.h"
#include "ops/buffer.h"
#include "ops/context.h"
#include "ops/elementwise.h"
#include "ops/kv_cache.h"
#include "ops/linear.h"

namespace pingti::models {

// The sizes that nearly all decoders have.
struct DecoderConfig {
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t key_dim = 0;    // per head
  int64_t value_dim = 0;  // per head
  int64_t feed_forward = 0;
  int64_t vocab = 0;  // rows of token_embd: may be more than the tokenizer has tokens
  int64_t context_length = 0;
  float norm_epsilon = 0;

  int64_t query_width() const { return heads * key_dim; }
  int64_t key_width() const { return kv_heads * key_dim; }
  int64_t value_width() const { return kv_heads * value_dim; }
};

// Reads those keys. Errors stay in `reader`.
DecoderConfig ReadDecoderConfig(ConfigReader& reader);
// Rotary embedding: rope.* keys, and rope_freqs.weight where the file has it.
Result<ops::RopeSpec> ReadRope(ConfigReader& reader, const DecoderConfig& config,
                               ops::RopePairs pairs);
ModelShape MakeShape(const formats::ModelFile& file, std::string_view architecture,
                     const DecoderConfig& config);

std::string LayerPrefix(int64_t layer);  // "blk.3."

// Memory for the activations of one step, allocated once for the largest batch.
struct Activations {
  Activations(ops::Context& ctx, const DecoderConfig& config, int32_t rows_max);

  ops::Buffer hidden;     // [rows, hidden]: the residual stream
  ops::Buffer normed;     // [rows, hidden]
  ops::Buffer qkv;        // [rows, query + key + value widths]
  ops::Buffer attention;  // [rows, heads * value_dim]
  ops::Buffer mlp;        // [rows, 2 * feed_forward]: gate | up
};

// One step's batch on its way through the layers.
struct Step {
  ops::Context& ctx;
  const ops::Batch& batch;
  ops::KvCache& cache;
  const Activations& buffers;
  ops::Matrix x;  // [rows, hidden]: each block adds to it
  int64_t prompt_begin = 0;  // of its rows, those from here on are of prompts
};

// x += W_o attention(rope(W_q n), rope(W_k n), W_v n) with n = rmsnorm(x)   (Vaswani et al. 2017;
// grouped queries: Ainslie et al. 2023)
class AttentionBlock final {
 public:
  // Tensors {prefix}attn_norm, attn_q, attn_k, attn_v (weights; biases where the file has them) and
  // attn_output.
  Status Load(WeightLoader& loader, const std::string& prefix);
  void Forward(const Step& step, int32_t layer, const DecoderConfig& config,
               const ops::RopeSpec& rope) const;
  // The last layer's: x shrinks to the rows whose logits are asked for, in the step that is returned.
  // What follows needs no others.
  Step ForwardLast(const Step& step, int32_t layer, const DecoderConfig& config,
                   const ops::RopeSpec& rope) const;

 private:
  // attention(rope(W_q n), rope(W_k n), W_v n) of all rows: [rows, heads * value_dim]
  ops::Matrix Attend(const Step& step, int32_t layer, const DecoderConfig& config,
                     const ops::RopeSpec& rope) const;

  std::vector<float> norm_;  // [hidden]
  ops::Linear qkv_;          // hidden -> query | key | value widths
  ops::Linear output_;       // heads * value_dim -> hidden
};

// x += W_down (silu(W_gate n) * W_up n) with n = rmsnorm(x)   (Shazeer 2020)
class GatedMlpBlock final {
 public:
  // Tensors {prefix}ffn_norm, ffn_gate, ffn_up, ffn_down.
  Status Load(WeightLoader& loader, const std::string& prefix);
  void Forward(const Step& step, const DecoderConfig& config) const;

 private:
  std::vector<float> norm_;  // [hidden]
  ops::Linear gate_up_;      // hidden -> gate | up
  ops::Linear down_;         // feed_forward -> hidden
};

// Tokens to vectors.
class EmbeddingBlock final {
 public:
  // Tensor token_embd.
  Status Load(WeightLoader& loader);
  void Forward(const Step& step) const;

 private:
  const TensorView* table_ = nullptr;  // [vocab, hidden]
};

// logits = W rmsnorm(x)
class OutputHead final {
 public:
  // Tensors output_norm and output; without an output of its own the head is tied to token_embd.
  Status Load(WeightLoader& loader);
  // x [step.batch.output_rows, hidden] (AttentionBlock::ForwardLast), logits [output_rows, vocab].
  // Overwrites the step's normed buffer.
  void Forward(const Step& step, float epsilon, float* logits) const;

 private:
  std::vector<float> norm_;  // [hidden]
  ops::Linear output_;       // hidden -> vocab
};

// What every decoder's Model answers alike. A family derives from it and adds its blocks and
// Forward.
class DecoderModel : public Model {
 public:
  const ModelShape& shape() const final { return shape_; }
  size_t weight_bytes_per_token() const final { return weights_.bytes_per_token; }
  size_t weight_bytes() const final { return weight_bytes_; }
  bool has_prompt_path() const final { return weights_.has_prompt_path; }

 protected:
  DecoderModel(ops::Context& ctx, ModelShape shape, const DecoderConfig& config, int32_t rows_max)
      : ctx_(ctx), shape_(std::move(shape)), config_(config), buffers_(ctx, config, rows_max) {}

  // Packs what the blocks have added to `loader`.
  Status LoadWeights(WeightLoader& loader);
  // A step for `batch`; its x is not initialised yet.
  Step Begin(const ops::Batch& batch, ops::KvCache& cache) const;

  const DecoderConfig& config() const { return config_; }

 private:
  ops::Context& ctx_;
  ModelShape shape_;
  DecoderConfig config_;
  Activations buffers_;
  PackedWeights weights_;
  size_t weight_bytes_ = 0;
};

}  // namespace pingti::models
