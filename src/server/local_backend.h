// LocalBackend: protocol::Backend over the engine of this process. Renders, tokenises and checks on the caller's thread,
// never on the engine's; turns the engine's events into the protocol's on the listener's executor. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "dialects/reasoning.h"
#include "observe/metrics.h"
#include "protocol/backend.h"
#include "runtime/bundle.h"
#include "runtime/engine.h"

namespace pingti::server {

struct LocalBackendOptions {
  std::vector<std::string> names;     // that clients may send; at least one, the first is shown
  bool share_prefix_cache = false;    // else each key has blocks of its own
  int64_t stall_seconds = 30;         // Ready fails when the engine's loop stands for so long
  std::string kernel_level;
  int threads = 0;
};

// What the backend keeps of a Bundle whose model has gone to the engine.
struct LocalModel {
  std::shared_ptr<const text::Tokenizer> tokenizer;
  std::shared_ptr<const text::ChatTemplate> chat_template;  // null: no chat
  runtime::SamplingParams defaults;
  std::string weight_types;           // "Q4_1", for people
  size_t weight_bytes = 0;
};

class LocalBackend final : public protocol::Backend {
 public:
  // `engine` and `metrics` outlive the backend.
  LocalBackend(runtime::Engine& engine, LocalModel model, observe::Metrics& metrics, LocalBackendOptions options);

  std::vector<protocol::ModelCard> Models() const override;
  Result<std::string> StartChat(protocol::ChatInput input, protocol::GenerateOptions options,
                                protocol::Listener listener) override;
  Result<std::string> StartCompletion(protocol::Prompt prompt, protocol::GenerateOptions options,
                                      protocol::Listener listener) override;
  void Cancel(const std::string& ticket) override;
  Result<protocol::TokenizeAnswer> Tokenize(const std::string& text, const protocol::TokenizeOptions& options) override;
  Result<protocol::TokenizeAnswer> TokenizeChat(const protocol::ChatInput& input,
                                                const protocol::TokenizeOptions& options) override;
  Result<std::string> Detokenize(const std::vector<int32_t>& tokens, const std::string& model) override;
  Status Ready() const override;
  void UpdateMetrics() override;
  json::object Describe() const override;

  void SetDraining() { draining_ = true; }
  // Requests that the engine has not finished.
  int32_t under_way() const { return under_way_->load(); }

 private:
  using Thinking = dialects::ReasoningSplitter::Start;

  Status CheckModel(const std::string& name) const;
  Result<text::RenderedPrompt> Render(const protocol::ChatInput& input) const;
  Result<std::string> Submit(std::vector<int32_t> prompt, const char* prompt_field,
                             const protocol::GenerateOptions& options, protocol::Listener listener,
                             Thinking thinking);
  Result<runtime::GenerateRequest> MakeRequest(std::vector<int32_t> prompt, const char* prompt_field,
                                               const protocol::GenerateOptions& options) const;
  protocol::TokenizeAnswer MakeTokenizeAnswer(std::vector<int32_t> tokens, bool with_texts) const;

  runtime::Engine& engine_;
  LocalModel model_;
  observe::Metrics& metrics_;
  LocalBackendOptions options_;
  int64_t created_;
  bool knows_thinking_;               // the template names <think>
  std::atomic<bool> draining_{false};
  std::atomic<uint64_t> next_ticket_{1};
  std::shared_ptr<std::atomic<int32_t>> under_way_ = std::make_shared<std::atomic<int32_t>>(0);
};

// The engine's parameters: the model's defaults with what the client has set. `prompt_tokens` bounds max_total_tokens.
Result<runtime::SamplingParams> ToEngineSampling(const runtime::SamplingParams& defaults,
                                                 const protocol::SamplingParams& wanted, int64_t prompt_tokens);

}  // namespace pingti::server
