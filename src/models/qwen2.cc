// Qwen2 and Qwen2.5 (also Coder and the R1 distills): as Llama, with biases on q, k and v, and
// rotary pairs in halves.
#include "models/dense_decoder.h"
#include "models/registry.h"

namespace pingti::models {
namespace {

constexpr std::string_view kArchitecture = "qwen2";

Result<DenseDecoderSpec> ReadSpec(const formats::ModelFile& file) {
  ConfigReader reader(file, kArchitecture);
  DenseDecoderSpec spec{
      .architecture = kArchitecture, .config = ReadDecoderConfig(reader), .rope = {}};
  PT_TRY(reader.status());
  PT_ASSIGN(spec.rope, ReadRope(reader, spec.config, ops::RopePairs::kHalves));
  return spec;
}

TensorTable Tensors(const DenseDecoderSpec& spec) {
  const DecoderConfig& c = spec.config;
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

Result<std::unique_ptr<Model>> MakeQwen2(const formats::ModelFile& file, ops::Context& ctx,
                                         const LoadOptions& options) {
  PT_ASSIGN(DenseDecoderSpec spec, ReadSpec(file));
  PT_TRY(Tensors(spec).Check(file));
  return MakeDenseDecoder(file, ctx, options, std::move(spec));
}

PINGTI_REGISTER_MODEL(kArchitecture, MakeQwen2);

}  // namespace
}  // namespace pingti::models
