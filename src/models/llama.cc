// Llama 1 to 3 and all that shares its shape (SmolLM2, Mistral 7B ...): RMSNorm before each block,
// grouped queries, interleaved rotary pairs (the converter permutes W_q and W_k for them), gated
// MLP, head of its own or tied.
#include "models/dense_decoder.h"
#include "models/registry.h"

namespace pingti::models {
namespace {

constexpr std::string_view kArchitecture = "llama";

Result<DenseDecoderSpec> ReadSpec(const formats::ModelFile& file) {
  ConfigReader reader(file, kArchitecture);
  DenseDecoderSpec spec{
      .architecture = kArchitecture, .config = ReadDecoderConfig(reader), .rope = {}};
  if (reader.IntOr("expert_count", kWidthMax, 0) > 0) {
    reader.Fail("expert_count",
                "is not 0: mixtures of experts are not supported for this architecture");
  }
  PT_TRY(reader.status());
  PT_ASSIGN(spec.rope, ReadRope(reader, spec.config, ops::RopePairs::kInterleaved));
  return spec;
}

TensorTable Tensors(const DenseDecoderSpec& spec) {
  const DecoderConfig& c = spec.config;
  TensorTable table;
  table.Required("token_embd.weight", {c.vocab, c.hidden});
  table.Required("output_norm.weight", {1, c.hidden});
  table.Optional("output.weight", {c.vocab, c.hidden});  // none: tied to token_embd
  table.Optional("rope_freqs.weight", {1, spec.rope.rotary_dim / 2});
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string blk = LayerPrefix(layer);
    table.Required(blk + "attn_norm.weight", {1, c.hidden});
    table.Required(blk + "attn_q.weight", {c.query_width(), c.hidden});
    table.Required(blk + "attn_k.weight", {c.key_width(), c.hidden});
    table.Required(blk + "attn_v.weight", {c.value_width(), c.hidden});
    table.Required(blk + "attn_output.weight", {c.hidden, c.heads * c.value_dim});
    table.Optional(blk + "attn_q.bias", {1, c.query_width()});
    table.Optional(blk + "attn_k.bias", {1, c.key_width()});
    table.Optional(blk + "attn_v.bias", {1, c.value_width()});
    table.Optional(blk + "attn_output.bias", {1, c.hidden});
    table.Required(blk + "ffn_norm.weight", {1, c.hidden});
    table.Required(blk + "ffn_gate.weight", {c.feed_forward, c.hidden});
    table.Required(blk + "ffn_up.weight", {c.feed_forward, c.hidden});
    table.Required(blk + "ffn_down.weight", {c.hidden, c.feed_forward});
    table.Optional(blk + "ffn_gate.bias", {1, c.feed_forward});
    table.Optional(blk + "ffn_up.bias", {1, c.feed_forward});
    table.Optional(blk + "ffn_down.bias", {1, c.hidden});
    table.Ignored(blk + "attn_rot_embd");  // old converters' frequencies
  }
  return table;
}

Result<std::unique_ptr<Model>> MakeLlama(const formats::ModelFile& file, ops::Context& ctx,
                                         const LoadOptions& options) {
  PT_ASSIGN(DenseDecoderSpec spec, ReadSpec(file));
  PT_TRY(Tensors(spec).Check(file));
  return MakeDenseDecoder(file, ctx, options, std::move(spec));
}

PINGTI_REGISTER_MODEL(kArchitecture, MakeLlama);

}  // namespace
}  // namespace pingti::models
