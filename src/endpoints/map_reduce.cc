#include "endpoints/map_reduce.h"

#include <algorithm>
#include <limits>

#include "endpoints/text_chunks.h"

namespace pingti::endpoints {

namespace {

constexpr int64_t kChunkTokensDefault = 2048;
constexpr int64_t kChunkTokensMin = 64;
constexpr int64_t kShrink = 4;  // a chunk to its summary, at least
constexpr char kInstruction[] =
    "Summarize the following text, in its own language. Keep names, numbers and conclusions; add "
    "nothing.";
constexpr char kAgain[] =
    "The text is made of summaries of consecutive parts of one document; write one summary of the "
    "whole.";

}  // namespace

class MapReduce::PartSink final : public protocol::GenerationSink {
 public:
  PartSink(std::shared_ptr<MapReduce> owner, size_t part) : owner_(std::move(owner)), part_(part) {}
  void OnDelta(protocol::Delta delta) override { owner_->PartText(part_, std::move(delta)); }
  void OnFinished(protocol::Finished finished) override {
    owner_->PartFinished(part_, std::move(finished));
  }

 private:
  std::shared_ptr<MapReduce> owner_;
  size_t part_;
};

MapReduce::MapReduce(protocol::Backend& backend, RunHeavy run_heavy,
                     protocol::SummarizeRequest request, protocol::Listener listener)
    : backend_(backend),
      run_heavy_(std::move(run_heavy)),
      request_(std::move(request)),
      listener_(std::move(listener)),
      text_(std::move(request_.input)) {}

Status MapReduce::Start() {
  if (Status fits = FitChunks(); !fits.ok()) {
    listener_ = {};  // it may hold what holds this
    return fits;
  }
  Heavy([self = shared_from_this()] { self->Split(); });
  return Status::Ok();
}

// How much of the context the text of one chat may take.
Status MapReduce::FitChunks() {
  const protocol::TokenizeOptions options{.model = request_.options.model,
                                          .add_special_tokens = false};
  level_ = 1;  // the longer of the two instructions
  PT_ASSIGN(const protocol::TokenizeAnswer frame, backend_.TokenizeChat(Messages(""), options));
  level_ = 0;
  const auto frame_tokens = static_cast<int64_t>(frame.tokens.size());
  // The chunk, and a summary of a quarter of it.
  const int64_t most = (frame.context_length - frame_tokens) * kShrink / (kShrink + 1);
  const int64_t wanted = request_.chunk_tokens.value_or(std::min(kChunkTokensDefault, most));
  if (wanted > most || wanted < kChunkTokensMin) {
    return InvalidArgument("Invalid 'chunk_tokens': at least " + std::to_string(kChunkTokensMin) +
                               " and at most " + std::to_string(most) +
                               " with this instruction and a context of " +
                               std::to_string(frame.context_length) + " tokens, found " +
                               std::to_string(wanted) + ".",
                           "chunk_tokens")
        .WithReason("invalid_value");
  }
  chunk_tokens_ = wanted;
  const int64_t answer_max =
      request_.options.sampling.max_tokens.value_or(std::numeric_limits<int32_t>::max());
  part_tokens_max_ = std::min(answer_max, wanted / kShrink);
  return Status::Ok();
}

protocol::ChatInput MapReduce::Messages(std::string_view text) const {
  std::string content = request_.instruction.empty() ? kInstruction : request_.instruction;
  if (level_ > 0) content += std::string("\n") + kAgain;
  content += "\n\n";
  content += text;
  protocol::ChatInput input;
  input.messages.push_back(json::object{{"role", "user"}, {"content", std::move(content)}});
  return input;
}

void MapReduce::Heavy(std::function<void()> task) {
  if (run_heavy_(std::move(task))) return;
  listener_.executor->Post([self = shared_from_this()] {
    self->Fail(ResourceExhausted("Too many requests are waiting; try again later."));
    self->EndWhenQuiet();
  });
}

void MapReduce::Split() {
  const protocol::TokenizeOptions options{.model = request_.options.model,
                                          .add_special_tokens = false};
  auto views = SplitIntoChunks(text_, chunk_tokens_, [&](std::string_view text) -> Result<int64_t> {
    PT_ASSIGN(const protocol::TokenizeAnswer answer, backend_.Tokenize(std::string(text), options));
    return static_cast<int64_t>(answer.tokens.size());
  });
  std::vector<std::string> chunks;
  if (views.ok()) chunks.assign(views->begin(), views->end());
  listener_.executor->Post(
      [self = shared_from_this(), status = views.status(), chunks = std::move(chunks)]() mutable {
        if (!status.ok()) self->Fail(std::move(status));
        self->SplitDone(std::move(chunks));
      });
}

void MapReduce::SplitDone(std::vector<std::string> chunks) {
  text_ = {};
  if (chunks_ == 0) chunks_ = static_cast<int64_t>(chunks.size());
  parts_ = std::move(chunks);
  next_ = 0;
  unfinished_ = parts_.size();
  started_.assign(parts_.size(), false);
  Launch();
  EndWhenQuiet();
}

void MapReduce::Launch() {
  while (failure_.ok() && next_ < parts_.size() && running_ < static_cast<size_t>(kAtOnce))
    StartPart(next_++);
}

void MapReduce::StartPart(size_t part) {
  ++running_;
  protocol::GenerateOptions options = request_.options;
  const bool last = parts_.size() == 1;
  if (!last) options.sampling.max_tokens = static_cast<int32_t>(part_tokens_max_);
  Heavy([self = shared_from_this(), part, options = std::move(options),
         input = Messages(parts_[part])]() mutable {
    auto ticket = self->backend_.StartChat(
        std::move(input), std::move(options),
        {.executor = self->listener_.executor, .sink = std::make_shared<PartSink>(self, part)});
    self->listener_.executor->Post(
        [self, ticket = std::move(ticket)]() mutable { self->PartStarted(std::move(ticket)); });
  });
}

void MapReduce::PartStarted(Result<std::string> ticket) {
  if (!ticket.ok()) {
    --running_;
    Fail(ticket.status());
    return EndWhenQuiet();
  }
  if (!failure_.ok()) return backend_.Cancel(*ticket);
  tickets_.push_back(std::move(ticket).value());
}

void MapReduce::PartText(size_t part, protocol::Delta delta) {
  if (parts_.size() == 1) {
    delta.choice = 0;
    return listener_.sink->OnDelta(std::move(delta));
  }
  if (!started_[part]) parts_[part].clear();
  started_[part] = true;
  parts_[part] += delta.text;
}

void MapReduce::PartFinished(size_t part, protocol::Finished finished) {
  --running_;
  --unfinished_;
  usage_.prompt_tokens += finished.usage.prompt_tokens;
  usage_.cached_tokens += finished.usage.cached_tokens;
  usage_.completion_tokens += finished.usage.completion_tokens;
  usage_.reasoning_tokens += finished.usage.reasoning_tokens;
  seed_ = finished.seed;
  if (!finished.status.ok()) Fail(std::move(finished.status));
  if (!started_[part] && parts_.size() > 1) parts_[part].clear();  // a summary without a word
  if (unfinished_ > 0 || !failure_.ok() || parts_.size() == 1) {
    Launch();
    return EndWhenQuiet();
  }
  tickets_.clear();
  for (const std::string& summary : parts_) text_ += (text_.empty() ? "" : "\n\n") + summary;
  parts_.clear();
  if (++level_ > kLevelsMax) {
    Fail(Internal("the summaries do not become shorter"));
    return EndWhenQuiet();
  }
  Heavy([self = shared_from_this()] { self->Split(); });
}

void MapReduce::Fail(Status status) {
  if (!failure_.ok()) return;
  failure_ = std::move(status);
  for (const std::string& ticket : tickets_) backend_.Cancel(ticket);
  tickets_.clear();
}

void MapReduce::Cancel() {
  listener_.executor->Post([self = shared_from_this()] {
    self->Fail(Cancelled("The client has gone away."));
    self->EndWhenQuiet();
  });
}

// Once, when nothing is running any more and nothing will.
void MapReduce::EndWhenQuiet() {
  if (running_ > 0 || !listener_.sink) return;
  if (failure_.ok() && unfinished_ > 0) return;
  const auto sink = std::move(listener_.sink);
  listener_.sink = nullptr;
  sink->OnFinished({.status = failure_, .usage = usage_, .seed = seed_, .prompt = {}});
}

}  // namespace pingti::endpoints
