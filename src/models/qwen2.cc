// Qwen2 and Qwen2.5 (also Coder and the R1 distills): as Llama, with biases on q, k and v, and
// rotary pairs in halves.
#include "models/blocks.h"
#include "models/registry.h"

namespace pingti::models {
namespace {

constexpr std::string_view kArchitecture = "qwen2";

struct Qwen2Config {
  DecoderConfig decoder;
  ops::RopeSpec rope;
};

Result<Qwen2Config> ReadConfig(const formats::ModelFile& file) {
  ConfigReader reader(file, kArchitecture);
  Qwen2Config config;
  config.decoder = ReadDecoderConfig(reader);
  PT_TRY(reader.status());
  PT_ASSIGN(config.rope, ReadRope(reader, config.decoder, ops::RopePairs::kHalves));
  return config;
}

TensorTable Tensors(const Qwen2Config& config) {
  const DecoderConfig& c = config.decoder;
  TensorTable table;
  table.Required("token_embd.weight", {c.vocab, c.hidden});
  table.Required("output_norm.weight", {1, c.hidden});
  table.Optional("output.weight", {c.vocab, c.hidden});  // none: tied to token_embd
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string blk = LayerPrefix(layer);
    table.Required(blk + "attn_norm.weight", {1, c.hidden});
    table.Required(blk + "attn_q.weight", {c.query_width(), c.hidden});
    table.Required(blk + "attn_k.weight", {c.key_width(), c.hidden});
    table.Required(blk + "attn_v.weight", {c.value_width(), c.hidden});
    table.Required(blk + "attn_output.weight", {c.hidden, c.heads * c.value_dim});
    table.Required(blk + "attn_q.bias", {1, c.query_width()});
    table.Required(blk + "attn_k.bias", {1, c.key_width()});
    table.Required(blk + "attn_v.bias", {1, c.value_width()});
    table.Required(blk + "ffn_norm.weight", {1, c.hidden});
    table.Required(blk + "ffn_gate.weight", {c.feed_forward, c.hidden});
    table.Required(blk + "ffn_up.weight", {c.feed_forward, c.hidden});
    table.Required(blk + "ffn_down.weight", {c.hidden, c.feed_forward});
  }
  return table;
}

class Qwen2 final : public DecoderModel {
 public:
  Qwen2(ops::Context& ctx, ModelShape shape, Qwen2Config config, int32_t rows_max)
      : DecoderModel(ctx, std::move(shape), config.decoder, rows_max),
        rope_(std::move(config.rope)),
        layers_(static_cast<size_t>(config.decoder.layers)) {}

  Status Load(WeightLoader& loader) {
    PT_TRY(embedding_.Load(loader));
    for (size_t i = 0; i < layers_.size(); ++i) {
      PT_TRY(layers_[i].attention.Load(loader, LayerPrefix(static_cast<int64_t>(i))));
      PT_TRY(layers_[i].mlp.Load(loader, LayerPrefix(static_cast<int64_t>(i))));
    }
    PT_TRY(head_.Load(loader));
    return LoadWeights(loader);
  }

  void Forward(const ops::Batch& batch, ops::KvCache& cache, float* logits) override {
    const Step step = Begin(batch, cache);
    embedding_.Forward(step);
    for (size_t i = 0; i < layers_.size(); ++i) {
      layers_[i].attention.Forward(step, static_cast<int32_t>(i), config(), rope_);
      layers_[i].mlp.Forward(step, config());
    }
    head_.Forward(step, config().norm_epsilon, logits);
  }

 private:
  struct Layer {
    AttentionBlock attention;
    GatedMlpBlock mlp;
  };

  ops::RopeSpec rope_;
  EmbeddingBlock embedding_;
  std::vector<Layer> layers_;
  OutputHead head_;
};

Result<std::unique_ptr<Model>> MakeQwen2(const formats::ModelFile& file, ops::Context& ctx,
                                         const LoadOptions& options) {
  PT_ASSIGN(Qwen2Config config, ReadConfig(file));
  PT_TRY(Tensors(config).Check(file));
  ModelShape shape = MakeShape(file, kArchitecture, config.decoder);
  auto model = std::make_unique<Qwen2>(ctx, std::move(shape), std::move(config), options.rows_max);
  WeightLoader loader(file, ctx, options);
  PT_TRY(model->Load(loader));
  return std::unique_ptr<Model>(std::move(model));
}

PINGTI_REGISTER_MODEL(kArchitecture, MakeQwen2);

}  // namespace
}  // namespace pingti::models
