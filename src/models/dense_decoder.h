// The decoder that most families are: embedding, then in every layer attention with grouped queries
// and a gated MLP, then the output head. A family says what it calls and how it rotates; one whose
// layers differ composes blocks.h itself.
#pragma once

#include <memory>
#include <string_view>

#include "models/blocks.h"

namespace pingti::models {

struct DenseDecoderSpec {
  std::string_view architecture;
  DecoderConfig config;
  ops::RopeSpec rope;
};

// `file`'s tensors are checked already (TensorTable::Check). `file` and `ctx` outlive the model.
Result<std::unique_ptr<Model>> MakeDenseDecoder(const formats::ModelFile& file, ops::Context& ctx,
                                                const LoadOptions& options, DenseDecoderSpec spec);

}  // namespace pingti::models
