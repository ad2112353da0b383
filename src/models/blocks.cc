#include "models/blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pingti::models {
namespace {

int64_t QkvWidth(const DecoderConfig& config) {
  return config.query_width() + config.key_width() + config.value_width();
}

ops::RopeScaling ReadScaling(ConfigReader& reader) {
  const std::string type = reader.StringOr("rope.scaling.type", "none");
  if (type == "none") return ops::RopeScaling::kNone;
  if (type == "linear") return ops::RopeScaling::kLinear;
  if (type == "yarn") return ops::RopeScaling::kYarn;
  reader.Fail("rope.scaling.type", fmt::format("is '{}', wanted none, linear or yarn", type));
  return ops::RopeScaling::kNone;
}

}  // namespace

DecoderConfig ReadDecoderConfig(ConfigReader& reader) {
  DecoderConfig config;
  config.layers = reader.Int("block_count", kLayersMax);
  config.hidden = reader.Int("embedding_length", kWidthMax);
  config.heads = reader.Int("attention.head_count", kHeadsMax);
  config.kv_heads = reader.IntOr("attention.head_count_kv", kHeadsMax, config.heads);
  config.feed_forward = reader.Int("feed_forward_length", kWidthMax);
  config.context_length = reader.Int("context_length", kContextMax);
  config.norm_epsilon = static_cast<float>(reader.Float("attention.layer_norm_rms_epsilon"));
  const int64_t head_dim = config.hidden / config.heads;
  config.key_dim = reader.IntOr("attention.key_length", kWidthMax, head_dim);
  config.value_dim = reader.IntOr("attention.value_length", kWidthMax, head_dim);
  if (config.kv_heads < 1 || config.heads % config.kv_heads != 0) {
    reader.Fail("attention.head_count_kv", fmt::format("is {}: {} heads cannot share them evenly",
                                                       config.kv_heads, config.heads));
  }
  if (config.key_dim < 1 || config.value_dim < 1) {
    reader.Fail("attention.key_length",
                fmt::format("gives heads of {} and {} values", config.key_dim, config.value_dim));
  }
  const TensorView* embedding = reader.file().FindTensor("token_embd.weight");
  config.vocab = embedding == nullptr ? 1 : embedding->rows();
  return config;
}

Result<ops::RopeSpec> ReadRope(ConfigReader& reader, const DecoderConfig& config,
                               ops::RopePairs pairs) {
  ops::RopeOptions options;
  options.pairs = pairs;
  options.rotary_dim = reader.IntOr("rope.dimension_count", config.key_dim, config.key_dim);
  options.base = reader.FloatOr("rope.freq_base", options.base);
  options.scaling = ReadScaling(reader);
  options.factor = reader.FloatOr("rope.scaling.factor", 1.0);
  options.original_context =
      reader.IntOr("rope.scaling.original_context_length", kContextMax, config.context_length);
  options.attention_factor = reader.FloatOr("rope.scaling.attn_factor", 1.0);
  options.beta_fast = reader.FloatOr("rope.scaling.yarn_beta_fast", options.beta_fast);
  options.beta_slow = reader.FloatOr("rope.scaling.yarn_beta_slow", options.beta_slow);
  if (options.factor == 0) options.factor = 1.0;  // converters write 0 for none
  if (options.rotary_dim < 2 || options.rotary_dim % 2 != 0) {
    reader.Fail("rope.dimension_count",
                fmt::format("is {}, wanted an even number", options.rotary_dim));
  }
  if (options.base <= 0) reader.Fail("rope.freq_base", "is 0");
  PT_TRY(reader.status());
  if (const TensorView* factors = reader.file().FindTensor("rope_freqs.weight");
      factors != nullptr) {
    PT_ASSIGN(options.frequency_factors, ops::ReadVector(*factors));
    const bool usable = std::ranges::all_of(options.frequency_factors,
                                            [](float f) { return std::isfinite(f) && f > 0; });
    if (!usable ||
        static_cast<int64_t>(options.frequency_factors.size()) != options.rotary_dim / 2) {
      return InvalidArgument(fmt::format("tensor 'rope_freqs.weight': wanted {} numbers above 0",
                                         options.rotary_dim / 2));
    }
  }
  return ops::MakeRope(options);
}

ModelShape MakeShape(const formats::ModelFile& file, std::string_view architecture,
                     const DecoderConfig& config) {
  ModelShape shape;
  shape.architecture = architecture;
  shape.vocab_size = static_cast<int32_t>(config.vocab);
  shape.hidden = static_cast<int32_t>(config.hidden);
  shape.heads = static_cast<int32_t>(config.heads);
  shape.context_length = config.context_length;
  shape.kv = {.layers = static_cast<int32_t>(config.layers),
              .kv_heads = static_cast<int32_t>(config.kv_heads),
              .key_dim = static_cast<int32_t>(config.key_dim),
              .value_dim = static_cast<int32_t>(config.value_dim)};
  for (const TensorView& tensor : file.tensors()) shape.parameters += tensor.rows() * tensor.cols();
  return shape;
}

std::string LayerPrefix(int64_t layer) { return fmt::format("blk.{}.", layer); }

Activations::Activations(ops::Context& ctx, const DecoderConfig& config, int32_t rows_max)
    : hidden(ops::Buffer::Create(ctx, rows_max, config.hidden)),
      normed(ops::Buffer::Create(ctx, rows_max, config.hidden)),
      qkv(ops::Buffer::Create(ctx, rows_max, QkvWidth(config))),
      attention(ops::Buffer::Create(ctx, rows_max, config.heads * config.value_dim)),
      mlp(ops::Buffer::Create(ctx, rows_max, 2 * config.feed_forward)) {}

Status AttentionBlock::Load(WeightLoader& loader, const std::string& prefix) {
  PT_ASSIGN(norm_, loader.Vector(prefix + "attn_norm.weight"));
  PT_TRY(loader.Add({prefix + "attn_q", prefix + "attn_k", prefix + "attn_v"}, qkv_));
  return loader.Add({prefix + "attn_output"}, output_);
}

ops::Matrix AttentionBlock::Attend(const Step& step, int32_t layer, const DecoderConfig& config,
                                   const ops::RopeSpec& rope) const {
  const int64_t rows = step.x.rows;
  const ops::Matrix normed = step.buffers.normed.Rows(rows);
  const ops::Matrix qkv = step.buffers.qkv.Rows(rows);
  ops::RmsNorm(step.ctx, step.x, norm_, config.norm_epsilon, normed);
  qkv_.Apply(step.ctx, normed, qkv, step.prompt_begin);
  const int64_t keys_end = config.query_width() + config.key_width();
  // Queries and keys lie side by side: one call rotates the heads of both.
  ops::Rope(step.ctx, rope, step.batch.positions, config.heads + config.kv_heads, config.key_dim,
            qkv.Cols(0, keys_end));
  ops::WriteKv(step.ctx, step.batch, layer, qkv.Cols(config.query_width(), config.key_width()),
               qkv.Cols(keys_end, config.value_width()), step.cache);
  const ops::AttentionOptions options = {
      .heads = static_cast<int32_t>(config.heads),
      .scale = 1.0F / std::sqrt(static_cast<float>(config.key_dim))};
  const ops::Matrix attention = step.buffers.attention.Rows(rows);
  ops::Attention(step.ctx, step.batch, layer, options, qkv.Cols(0, config.query_width()),
                 step.cache, attention);
  return attention;
}

void AttentionBlock::Forward(const Step& step, int32_t layer, const DecoderConfig& config,
                             const ops::RopeSpec& rope) const {
  const ops::Matrix attention = Attend(step, layer, config, rope);
  output_.Apply(step.ctx, attention, step.x, step.prompt_begin, /*accumulate=*/true);
}

Step AttentionBlock::ForwardLast(const Step& step, int32_t layer, const DecoderConfig& config,
                                 const ops::RopeSpec& rope) const {
  const ops::Matrix all = Attend(step, layer, config, rope);
  const auto rows = static_cast<int64_t>(step.batch.output_rows.size());
  const ops::Matrix x = step.x.Rows(0, rows);
  const ops::Matrix attention = all.Rows(0, rows);
  ops::GatherRows(step.ctx, step.x, step.batch.output_rows, x);
  ops::GatherRows(step.ctx, all, step.batch.output_rows, attention);
  const std::span<const int32_t> outputs = step.batch.output_rows;
  const auto first_prompt = std::lower_bound(outputs.begin(), outputs.end(), step.prompt_begin);
  const int64_t prompt_begin = first_prompt - outputs.begin();
  output_.Apply(step.ctx, attention, x, prompt_begin, /*accumulate=*/true);
  return {.ctx = step.ctx, .batch = step.batch, .cache = step.cache, .buffers = step.buffers, .x = x,
          .prompt_begin = prompt_begin};
}

Status GatedMlpBlock::Load(WeightLoader& loader, const std::string& prefix) {
  PT_ASSIGN(norm_, loader.Vector(prefix + "ffn_norm.weight"));
  PT_TRY(loader.Add({prefix + "ffn_gate", prefix + "ffn_up"}, gate_up_));
  return loader.Add({prefix + "ffn_down"}, down_);
}

void GatedMlpBlock::Forward(const Step& step, const DecoderConfig& config) const {
  const ops::Matrix normed = step.buffers.normed.Rows(step.x.rows);
  const ops::Matrix gate_up = step.buffers.mlp.Rows(step.x.rows);
  const ops::Matrix gate = gate_up.Cols(0, config.feed_forward);
  ops::RmsNorm(step.ctx, step.x, norm_, config.norm_epsilon, normed);
  gate_up_.Apply(step.ctx, normed, gate_up, step.prompt_begin);
  ops::SiluMul(step.ctx, gate, gate_up.Cols(config.feed_forward, config.feed_forward), gate);
  down_.Apply(step.ctx, gate, step.x, step.prompt_begin, /*accumulate=*/true);
}

Status EmbeddingBlock::Load(WeightLoader& loader) {
  table_ = loader.Find("token_embd.weight");
  return table_ != nullptr ? Status::Ok()
                           : InvalidArgument("tensor 'token_embd.weight' is missing");
}

void EmbeddingBlock::Forward(const Step& step) const {
  ops::Embed(step.ctx, *table_, step.batch.tokens, step.x);
}

Status OutputHead::Load(WeightLoader& loader) {
  PT_ASSIGN(norm_, loader.Vector("output_norm.weight"));
  const bool tied = loader.Find("output.weight") == nullptr;
  return loader.Add({tied ? "token_embd" : "output"}, output_);
}

void OutputHead::Forward(const Step& step, float epsilon, float* logits) const {
  const int64_t rows = step.x.rows;
  PT_CHECK(rows == static_cast<int64_t>(step.batch.output_rows.size()), "a row for each output");
  const ops::Matrix normed = step.buffers.normed.Rows(rows);
  ops::RmsNorm(step.ctx, step.x, norm_, epsilon, normed);
  // A prompt has one row of logits, as an answer has: all read the same weights, once.
  output_.Apply(step.ctx, normed, {.data = logits, .rows = rows, .cols = output_.out(), .stride = output_.out()},
                /*prompt_begin=*/rows);
}

Status DecoderModel::LoadWeights(WeightLoader& loader) {
  PT_ASSIGN(weights_, loader.Load());
  weight_bytes_ = weights_.bytes + loader.Find("token_embd.weight")->bytes.size();
  return Status::Ok();
}

Step DecoderModel::Begin(const ops::Batch& batch, ops::KvCache& cache) const {
  PT_CHECK(batch.tokens.size() == batch.positions.size(), "each row has a token and a position");
  return {.ctx = ctx_,
          .batch = batch,
          .cache = cache,
          .buffers = buffers_,
          .x = buffers_.hidden.Rows(static_cast<int64_t>(batch.tokens.size())),
          .prompt_begin = batch.prompt_begin};
}

}  // namespace pingti::models
