// A Backend that repeats what it is told and an Exchange that records: endpoints without engine and sockets. Tests only.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "endpoints/route.h"
#include "protocol/errors.h"

namespace pingti::endpoints::testing {

class RecordingExchange final : public net::Exchange {
 public:
  explicit RecordingExchange(net::Request request) : request_(std::move(request)) {}

  void Post(std::function<void()> task) override { tasks_.push_back(std::move(task)); }
  const net::Request& request() const override { return request_; }
  const std::string& request_id() const override { return id_; }
  void AddHeader(std::string name, std::string value) override { extra.Set(std::move(name), std::move(value)); }
  void Respond(net::Response answer) override {
    response = std::move(answer);
    finished = true;
  }
  void StartStream(net::Response head) override {
    response = std::move(head);
    streamed = true;
  }
  void Write(std::string bytes) override { response.body += bytes; }
  void SetHeartbeat(std::string, int64_t period_ms) override { heartbeat_ms = period_ms; }
  void Finish() override { finished = true; }
  void Abort() override { gone = true; }
  void OnDisconnect(std::function<void()> on_gone) override { on_gone_ = std::move(on_gone); }
  bool disconnected() const override { return gone; }
  void OnDone(std::function<void(int32_t, uint64_t)>) override {}

  // Runs what was posted, until nothing is left.
  void Pump() {
    while (!tasks_.empty()) {
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }
  void Disconnect() {
    gone = true;
    if (on_gone_) on_gone_();
  }

  net::Response response;
  net::Headers extra;
  bool streamed = false;
  bool finished = false;
  bool gone = false;
  int64_t heartbeat_ms = 0;

 private:
  net::Request request_;
  std::string id_ = "test-1";
  std::deque<std::function<void()>> tasks_;
  std::function<void()> on_gone_;
};

// Answers each prompt with `pieces`, then ends. What it was asked for is kept.
class FakeBackend final : public protocol::Backend {
 public:
  std::vector<protocol::ModelCard> Models() const override {
    return {{.id = "fake", .created = 7, .owned_by = "pingti", .context_length = 100, .chat = true, .details = {}}};
  }
  Result<std::string> StartChat(protocol::ChatInput input, protocol::GenerateOptions options,
                                protocol::Listener listener) override {
    last_chat = input;
    chats.push_back(std::move(input));
    return Start(std::move(options), std::move(listener));
  }
  Result<std::string> StartCompletion(protocol::Prompt prompt, protocol::GenerateOptions options,
                                      protocol::Listener listener) override {
    prompts.push_back(std::move(prompt));
    return Start(std::move(options), std::move(listener));
  }
  void Cancel(const std::string& ticket) override {
    cancelled.push_back(ticket);
    const auto found = hanging_.find(ticket);
    if (found == hanging_.end()) return;
    const protocol::Listener listener = std::move(found->second);
    hanging_.erase(found);
    listener.executor->Post([sink = listener.sink] {
      sink->OnFinished({.status = Cancelled("cancelled"), .usage = {}, .seed = 0, .prompt = {}});
    });
  }
  Result<protocol::TokenizeAnswer> Tokenize(const std::string& text, const protocol::TokenizeOptions& options) override {
    protocol::TokenizeAnswer answer{.tokens = {}, .token_texts = {}, .context_length = 100};
    for (const char c : text) {
      answer.tokens.push_back(static_cast<unsigned char>(c));
      if (options.return_token_texts) answer.token_texts.emplace_back(1, c);
    }
    return answer;
  }
  Result<protocol::TokenizeAnswer> TokenizeChat(const protocol::ChatInput&, const protocol::TokenizeOptions&) override {
    return protocol::TokenizeAnswer{.tokens = {1, 2}, .token_texts = {}, .context_length = 100};
  }
  Result<std::string> Detokenize(const std::vector<int32_t>& tokens, const std::string&) override {
    std::string text;
    for (const int32_t token : tokens) text.push_back(static_cast<char>(token));
    return text;
  }
  Status Ready() const override { return ready; }
  void UpdateMetrics() override { ++metric_updates; }
  json::object Describe() const override { return {{"model", json::object{{"name", "fake"}}}}; }

  std::vector<std::string> pieces = {"Hel", "lo"};
  std::string reasoning;
  Status refusal;                  // of Start
  int refuse_from = 0;             // the n-th start and later ones are refused, where refusal is not ok
  Status failure;                  // at the end
  Status ready;
  bool hang = false;               // no events until Cancel
  protocol::ChatInput last_chat;
  std::vector<protocol::ChatInput> chats;
  std::vector<protocol::Prompt> prompts;
  std::vector<protocol::GenerateOptions> options_seen;
  std::vector<std::string> cancelled;
  int metric_updates = 0;

 private:
  static protocol::TokenInfo Token(const std::string& text, int32_t top) {
    protocol::TokenInfo info{.chosen = {.token = 1, .bytes = text, .logprob = -0.5F}, .top = {}};
    for (int32_t i = 0; i < top; ++i) info.top.push_back({.token = i, .bytes = "t" + std::to_string(i), .logprob = -1});
    return info;
  }

  void Tell(const protocol::GenerateOptions& options, protocol::GenerationSink& sink) const {
    protocol::Usage usage{.prompt_tokens = 3, .cached_tokens = 2, .completion_tokens = 0, .reasoning_tokens = 0};
    for (int32_t choice = 0; choice < options.choices.n; ++choice) {
      if (!reasoning.empty()) sink.OnDelta({.choice = choice, .reasoning = reasoning, .text = {}, .tokens = {}, .stop_text = {}});
      for (size_t i = 0; i < pieces.size(); ++i) {
        protocol::Delta delta{.choice = choice, .reasoning = {}, .text = pieces[i], .tokens = {}, .stop_text = {}};
        if (options.sampling.top_logprobs >= 0) delta.tokens.push_back(Token(pieces[i], options.sampling.top_logprobs));
        if (i + 1 == pieces.size() && failure.ok()) delta.finish = protocol::FinishReason::kStop;
        sink.OnDelta(std::move(delta));
        ++usage.completion_tokens;
      }
    }
    protocol::Finished finished{.status = failure, .usage = usage, .seed = 42, .prompt = {}};
    if (options.sampling.prompt_logprobs >= 0) finished.prompt = {Token("pr", 1), Token("ompt", 1)};
    sink.OnFinished(std::move(finished));
  }

  Result<std::string> Start(protocol::GenerateOptions options, protocol::Listener listener) {
    const auto index = static_cast<int>(options_seen.size());
    options_seen.push_back(options);
    if (!refusal.ok() && index >= refuse_from) return refusal;
    const std::string ticket = "ticket-" + std::to_string(index);
    if (!hang) {
      listener.executor->Post([this, options, sink = listener.sink] { Tell(options, *sink); });
    } else {
      hanging_.emplace(ticket, std::move(listener));
    }
    return ticket;
  }

  std::map<std::string, protocol::Listener> hanging_;  // by ticket
};

}  // namespace pingti::endpoints::testing
