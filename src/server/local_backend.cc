#include "server/local_backend.h"

#include <algorithm>
#include <ctime>

#include "protocol/errors.h"
#include "server/engine_sink.h"

namespace pingti::server {

namespace {

// Below this a model answers for demonstrations only; the console says so.
constexpr int64_t kToyParameters = 300'000'000;

// Cuts a rendered prompt right after the last message's text, so that the model goes on with it.
void CutAfterFinalMessage(text::RenderedPrompt& prompt, const json::array& messages) {
  const json::value* content = messages.back().as_object().if_contains("content");
  if (content == nullptr || !content->is_string() || content->get_string().empty()) return;
  const std::string_view text = content->get_string();
  const size_t at = prompt.text.rfind(text);
  if (at == std::string::npos) return;
  prompt.text.resize(at + text.size());
  std::erase_if(prompt.untrusted, [&](const text::TextRange& range) { return range.begin >= prompt.text.size(); });
  for (text::TextRange& range : prompt.untrusted) range.end = std::min(range.end, prompt.text.size());
}

// Length-prefixed, so that no two pairs give the same salt.
std::string CombineSalts(const std::string& caller, const std::string& request) {
  if (caller.empty() && request.empty()) return {};
  return std::to_string(caller.size()) + ":" + caller + request;
}

}  // namespace

LocalBackend::LocalBackend(runtime::Engine& engine, LocalModel model, observe::Metrics& metrics,
                           LocalBackendOptions options)
    : engine_(engine),
      model_(std::move(model)),
      metrics_(metrics),
      options_(std::move(options)),
      created_(static_cast<int64_t>(std::time(nullptr))) {
  PT_CHECK(!options_.names.empty(), "a served model has a name");
  knows_thinking_ = model_.chat_template && model_.chat_template->source().find("think>") != std::string::npos;
  metrics_.SetModel(options_.names.front(), engine_.options().context_length);
}

std::vector<protocol::ModelCard> LocalBackend::Models() const {
  std::vector<protocol::ModelCard> cards;
  for (const std::string& name : options_.names) {
    cards.push_back({.id = name,
                     .created = created_,
                     .owned_by = "pingti",
                     .context_length = engine_.options().context_length,
                     .chat = model_.chat_template != nullptr,
                     .details = {}});
  }
  return cards;
}

Status LocalBackend::CheckModel(const std::string& name) const {
  if (name.empty() || std::find(options_.names.begin(), options_.names.end(), name) != options_.names.end()) {
    return Status::Ok();
  }
  return NotFound("The model '" + name + "' does not exist; served here: '" + options_.names.front() + "'.", "model")
      .WithReason(protocol::kModelNotFound);
}

Result<text::RenderedPrompt> LocalBackend::Render(const protocol::ChatInput& input) const {
  if (!model_.chat_template) {
    return InvalidArgument("The model '" + options_.names.front() +
                               "' has no chat template; use /v1/completions.",
                           "model")
        .WithReason("no_chat_template");
  }
  text::ChatInput chat;
  chat.messages = input.messages;
  chat.tools = input.tools;
  chat.add_generation_prompt = input.add_generation_prompt;
  chat.extra = input.template_kwargs;
  auto rendered = model_.chat_template->Render(chat);
  if (!rendered.ok()) {
    return InvalidArgument("The chat template refused the messages: " + rendered.status().message(), "messages")
        .WithReason("chat_template_error");
  }
  if (input.continue_final_message) CutAfterFinalMessage(*rendered, input.messages);
  return rendered;
}

Result<std::string> LocalBackend::StartChat(protocol::ChatInput input, protocol::GenerateOptions options,
                                            protocol::Listener listener) {
  PT_TRY(CheckModel(options.model));
  PT_ASSIGN(const text::RenderedPrompt prompt, Render(input));
  std::vector<int32_t> tokens = model_.tokenizer->Encode(
      prompt.text, {.add_special = false, .parse_special = true, .untrusted = prompt.untrusted});
  Thinking thinking = Thinking::kPlain;
  if (knows_thinking_) {
    thinking = dialects::EndsInsideThinking(prompt.text) ? Thinking::kThinking : Thinking::kMayOpen;
  }
  return Submit(std::move(tokens), "messages", options, std::move(listener), thinking);
}

Result<std::string> LocalBackend::StartCompletion(protocol::Prompt prompt, protocol::GenerateOptions options,
                                                  protocol::Listener listener) {
  PT_TRY(CheckModel(options.model));
  std::vector<int32_t> tokens;
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    tokens = model_.tokenizer->Encode(*text, {.add_special = true, .parse_special = true, .untrusted = {}});
  } else {
    tokens = std::get<std::vector<int32_t>>(std::move(prompt));
    for (const int32_t token : tokens) {
      if (token < model_.tokenizer->vocab_size()) continue;
      return InvalidArgument("Invalid 'prompt': token id " + std::to_string(token) + " is not below " +
                                 std::to_string(model_.tokenizer->vocab_size()) + ".",
                             "prompt")
          .WithReason("invalid_value");
    }
  }
  if (tokens.empty()) {
    return InvalidArgument("Invalid 'prompt': it has no token.", "prompt").WithReason("empty_prompt");
  }
  return Submit(std::move(tokens), "prompt", options, std::move(listener), Thinking::kPlain);
}

Result<runtime::GenerateRequest> LocalBackend::MakeRequest(std::vector<int32_t> prompt, const char* prompt_field,
                                                           const protocol::GenerateOptions& options) const {
  const int64_t context = engine_.options().context_length;
  const auto size = static_cast<int64_t>(prompt.size());
  if (size >= context) {
    return InvalidArgument("This model's maximum context length is " + std::to_string(context) +
                               " tokens. However, your " + prompt_field + " resulted in " + std::to_string(size) +
                               " tokens. Please reduce the length of the " + prompt_field + ".",
                           prompt_field)
        .WithReason(protocol::kContextLengthExceeded);
  }
  runtime::GenerateRequest request;
  PT_ASSIGN(request.sampling, ToEngineSampling(model_.defaults, options.sampling, size));
  PT_TRY(runtime::Validate(request.sampling, engine_.model_shape().vocab_size));
  request.prompt = std::move(prompt);
  request.n = options.choices.n;
  request.best_of = options.choices.best_of;
  request.fairness_key = options.caller.key_name;
  request.priority = options.priority;
  request.cache_salt = CombineSalts(options_.share_prefix_cache ? "" : options.caller.cache_salt, options.cache_salt);
  return request;
}

Result<std::string> LocalBackend::Submit(std::vector<int32_t> prompt, const char* prompt_field,
                                         const protocol::GenerateOptions& options, protocol::Listener listener,
                                         Thinking thinking) {
  if (draining_) return Unavailable("The server is shutting down.");
  PT_ASSIGN(runtime::GenerateRequest request, MakeRequest(std::move(prompt), prompt_field, options));
  request.id = "g" + std::to_string(next_ticket_.fetch_add(1));
  const std::string ticket = request.id;
  auto sink = std::make_shared<EngineSink>(std::move(listener),
                                           EngineSink::Options{.tokenizer = model_.tokenizer,
                                                               .choices = request.n,
                                                               .logprobs = request.sampling.top_logprobs >= 0,
                                                               .thinking = thinking,
                                                               .under_way = under_way_});
  under_way_->fetch_add(1);
  const Status submitted = engine_.Submit(std::move(request), std::move(sink));
  if (submitted.ok()) return ticket;
  under_way_->fetch_sub(1);
  return submitted;
}

void LocalBackend::Cancel(const std::string& ticket) { engine_.Cancel(ticket); }

protocol::TokenizeAnswer LocalBackend::MakeTokenizeAnswer(std::vector<int32_t> tokens, bool with_texts) const {
  protocol::TokenizeAnswer answer;
  answer.context_length = engine_.options().context_length;
  if (with_texts) {
    for (const int32_t token : tokens) {
      const int32_t one[] = {token};
      answer.token_texts.push_back(model_.tokenizer->Decode(one, true));
    }
  }
  answer.tokens = std::move(tokens);
  return answer;
}

Result<protocol::TokenizeAnswer> LocalBackend::Tokenize(const std::string& text,
                                                        const protocol::TokenizeOptions& options) {
  PT_TRY(CheckModel(options.model));
  auto tokens = model_.tokenizer->Encode(
      text, {.add_special = options.add_special_tokens, .parse_special = true, .untrusted = {}});
  return MakeTokenizeAnswer(std::move(tokens), options.return_token_texts);
}

Result<protocol::TokenizeAnswer> LocalBackend::TokenizeChat(const protocol::ChatInput& input,
                                                            const protocol::TokenizeOptions& options) {
  PT_TRY(CheckModel(options.model));
  PT_ASSIGN(const text::RenderedPrompt prompt, Render(input));
  auto tokens = model_.tokenizer->Encode(prompt.text, {.add_special = options.add_special_tokens,
                                                       .parse_special = true,
                                                       .untrusted = prompt.untrusted});
  return MakeTokenizeAnswer(std::move(tokens), options.return_token_texts);
}

Result<std::string> LocalBackend::Detokenize(const std::vector<int32_t>& tokens, const std::string& model) {
  PT_TRY(CheckModel(model));
  for (const int32_t token : tokens) {
    if (token < model_.tokenizer->vocab_size()) continue;
    return InvalidArgument("Invalid 'tokens': token id " + std::to_string(token) + " is not below " +
                               std::to_string(model_.tokenizer->vocab_size()) + ".",
                           "tokens")
        .WithReason("invalid_value");
  }
  return model_.tokenizer->Decode(tokens, true);
}

Status LocalBackend::Ready() const {
  if (draining_) return Unavailable("The server is shutting down.");
  const double stands = engine_.seconds_since_progress();
  if (stands > static_cast<double>(options_.stall_seconds)) {
    return Unavailable("The engine's loop has stood still for " + std::to_string(static_cast<int64_t>(stands)) +
                       " seconds.");
  }
  return Status::Ok();
}

void LocalBackend::UpdateMetrics() {
  const runtime::EngineStats stats = engine_.stats();
  metrics_.requests_running.Set(stats.running);
  metrics_.requests_waiting.Set(stats.waiting);
  metrics_.kv_cache_usage.Set(stats.kv_blocks > 0 ? static_cast<double>(stats.kv_blocks_used) / stats.kv_blocks : 0);
  metrics_.kv_blocks.Set(stats.kv_blocks);
  metrics_.kv_blocks_used.Set(stats.kv_blocks_used);
  metrics_.kv_blocks_free.Set(stats.kv_blocks - stats.kv_blocks_used);
  metrics_.kv_blocks_cached.Set(stats.kv_blocks_cached);
  metrics_.kv_waste.Set(stats.kv_waste);
  metrics_.seconds_since_progress.Set(engine_.seconds_since_progress());
  metrics_.batch_tokens.Set(stats.last_batch_tokens);
  metrics_.batch_sequences.Set(stats.last_batch_sequences);
  metrics_.busy_share.Set(stats.busy_share);
  metrics_.prefix_queries_tokens.Set(static_cast<double>(stats.prefix_queries_tokens));
  metrics_.prefix_hits_tokens.Set(static_cast<double>(stats.prefix_hits_tokens));
  metrics_.preemptions.Set(static_cast<double>(stats.preemptions));
  metrics_.prompt_tokens.Set(static_cast<double>(stats.prompt_tokens));
  metrics_.prompt_tokens_cached.Set(static_cast<double>(stats.prefix_hits_tokens));
  metrics_.generation_tokens.Set(static_cast<double>(stats.generation_tokens));
  metrics_.steps.Set(static_cast<double>(stats.steps));
  metrics_.busy_seconds.Set(stats.busy_seconds);
}

json::object LocalBackend::Describe() const {
  const models::ModelShape& shape = engine_.model_shape();
  const runtime::EngineStats stats = engine_.stats();
  const runtime::SamplingParams& defaults = model_.defaults;
  json::object model;
  model["name"] = options_.names.front();
  model["architecture"] = shape.architecture;
  model["parameters"] = shape.parameters;
  model["weight_types"] = model_.weight_types;
  model["weight_bytes"] = model_.weight_bytes;
  model["context_length"] = engine_.options().context_length;
  model["trained_context_length"] = shape.context_length;
  model["chat"] = model_.chat_template != nullptr;
  model["toy"] = shape.parameters > 0 && shape.parameters < kToyParameters;
  model["defaults"] = json::object{{"temperature", defaults.temperature},
                                   {"top_p", defaults.top_p},
                                   {"top_k", defaults.top_k},
                                   {"min_p", defaults.min_p},
                                   {"repetition_penalty", defaults.repetition_penalty}};
  json::object engine;
  engine["kv_type"] = ops::KvTypeName(engine_.options().kv_type);
  engine["kv_blocks"] = stats.kv_blocks;
  engine["kv_blocks_used"] = stats.kv_blocks_used;
  engine["kv_blocks_cached"] = stats.kv_blocks_cached;
  engine["running"] = stats.running;
  engine["waiting"] = stats.waiting;
  return {{"model", std::move(model)},
          {"engine", std::move(engine)},
          {"kernels", options_.kernel_level},
          {"threads", options_.threads}};
}

}  // namespace pingti::server
