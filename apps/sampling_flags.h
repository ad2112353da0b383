// The sampling options of `run`, `chat` and `bench`: a table on SamplingParams.
#pragma once

#include <string>
#include <string_view>

#include "base/options.h"
#include "command.h"
#include "runtime/sampling.h"

namespace pingti::apps {

// SamplingParams with the members that a table cannot point at.
struct SamplingSettings {
  runtime::SamplingParams params;
  uint64_t seed = 0;  // counts where it was given
};

OptionTable SamplingTable(SamplingSettings& settings);

// `defaults` (the model's) with what this command line says.
Result<runtime::SamplingParams> SamplingOf(const Invocation& invocation,
                                           const runtime::SamplingParams& defaults);

// Sets one parameter by name, as /set of the chat does. The error names the parameters or the
// range.
Status SetSampling(runtime::SamplingParams& params, std::string_view name, std::string_view value);

}  // namespace pingti::apps
