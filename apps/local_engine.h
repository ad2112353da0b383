// LocalEngine: a model loaded into this process, for the commands that answer without a server
// (run, chat, bench). Generate is called from one thread at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "config.h"
#include "models_of.h"
#include "ops/context.h"
#include "runtime/bundle.h"
#include "runtime/engine.h"

namespace pingti::apps {

// One answer.
struct Reply {
  std::string text;
  runtime::Usage usage;
  runtime::FinishReason finish = runtime::FinishReason::kNone;
  uint64_t seed = 0;
  double first_token_seconds = 0;
  double seconds = 0;

  // Tokens a second after the first.
  double decode_rate() const;
};

class LocalEngine final {
 public:
  // Loads with a progress bar on standard error where `show_progress`.
  static Result<std::unique_ptr<LocalEngine>> Load(const Config& config, const ChosenModel& model,
                                                   bool show_progress);
  ~LocalEngine();

  const runtime::Bundle& bundle() const { return bundle_; }  // its model is the engine's now
  runtime::Engine& engine() { return *engine_; }
  const models::ModelShape& shape() const { return engine_->model_shape(); }
  const kernels::KernelTable& kernels() const { return context_.kernels; }
  int threads() const { return pool_.size(); }
  double load_seconds() const { return load_seconds_; }
  size_t weight_bytes() const { return weight_bytes_; }
  size_t weight_bytes_per_token() const { return weight_bytes_per_token_; }

  // The tokens of a conversation (OpenAI's messages) by the model's template, or of plain text.
  Result<std::vector<int32_t>> EncodeChat(const json::array& messages) const;
  std::vector<int32_t> EncodeText(std::string_view text) const;
  // The prompt's text that EncodeChat encodes, to see whether it opens a reasoning part.
  Result<std::string> RenderChat(const json::array& messages) const;

  // Answers; `on_text` gets each piece as it comes, on the calling thread. `maybe_cancel` ends it
  // within one step: the reply then has what came so far.
  Result<Reply> Generate(std::vector<int32_t> prompt, const runtime::SamplingParams& sampling,
                         const std::function<void(std::string_view)>& on_text,
                         const std::atomic<bool>* maybe_cancel);

 private:
  LocalEngine(const ThreadPool::Options& pool, const kernels::KernelTable& kernels)
      : pool_(pool), context_{pool_, kernels} {}

  ThreadPool pool_;
  ops::Context context_;
  runtime::Bundle bundle_;
  std::unique_ptr<runtime::Engine> engine_;
  double load_seconds_ = 0;
  size_t weight_bytes_ = 0;
  size_t weight_bytes_per_token_ = 0;
  uint64_t next_id_ = 0;
};

}  // namespace pingti::apps
