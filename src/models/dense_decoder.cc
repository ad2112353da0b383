#include "models/dense_decoder.h"

#include <utility>
#include <vector>

namespace pingti::models {
namespace {

class DenseDecoder final : public DecoderModel {
 public:
  DenseDecoder(ops::Context& ctx, ModelShape shape, DenseDecoderSpec spec, int32_t rows_max)
      : DecoderModel(ctx, std::move(shape), spec.config, rows_max),
        rope_(std::move(spec.rope)),
        layers_(static_cast<size_t>(spec.config.layers)) {}

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
    const size_t last = layers_.size() - 1;
    for (size_t i = 0; i < last; ++i) {
      layers_[i].attention.Forward(step, static_cast<int32_t>(i), config(), rope_);
      layers_[i].mlp.Forward(step, config());
    }
    const Step outputs =
        layers_[last].attention.ForwardLast(step, static_cast<int32_t>(last), config(), rope_);
    layers_[last].mlp.Forward(outputs, config());
    head_.Forward(outputs, config().norm_epsilon, logits);
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

}  // namespace

Result<std::unique_ptr<Model>> MakeDenseDecoder(const formats::ModelFile& file, ops::Context& ctx,
                                                const LoadOptions& options, DenseDecoderSpec spec) {
  ModelShape shape = MakeShape(file, spec.architecture, spec.config);
  auto model =
      std::make_unique<DenseDecoder>(ctx, std::move(shape), std::move(spec), options.rows_max);
  WeightLoader loader(file, ctx, options);
  PT_TRY(model->Load(loader));
  return std::unique_ptr<Model>(std::move(model));
}

}  // namespace pingti::models
