// What goes into the engine and what comes out. Plain values, no HTTP.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "runtime/sampling.h"

namespace pingti::runtime {

struct GenerateRequest {
  std::string id;                       // unique; names it in logs
  std::vector<int32_t> prompt;          // at least one token
  SamplingParams sampling;
  int32_t n = 1;                        // answers returned, sharing the prompt's blocks
  int32_t best_of = 1;                  // answers made, >= n; the n with the highest mean logprob are returned
  std::string fairness_key;             // requests of one key share a turn with those of others
  int32_t priority = 0;                 // lower is served earlier (vLLM)
  std::string cache_salt;               // prompts of different salts never share blocks
};

struct TokenLogprob {
  int32_t token = -1;
  float logprob = 0;
};

struct TokenInfo {
  int32_t token = -1;
  float logprob = 0;                    // of the unmodified distribution; valid where logprobs are asked for
  std::vector<TokenLogprob> top;        // best first
};

enum class FinishReason : uint8_t { kNone, kStop, kLength, kCancelled, kError };

struct Usage {
  int32_t prompt_tokens = 0;
  int32_t cached_tokens = 0;            // of the prompt, found in the prefix cache
  int32_t completion_tokens = 0;        // of all choices
};

// One step's news of a choice. With best_of > n all events come at the end.
struct Delta {
  int32_t choice = 0;                   // [0, n)
  std::string text;                     // whole UTF-8 characters; may be empty; never part of a stop text
  std::vector<TokenInfo> tokens;        // the tokens of this step
  FinishReason finish = FinishReason::kNone;
  std::string stop_text;                // the stop text or stop token's text that ended it
};

struct Finished {
  Status status;                        // not ok: the request failed; no more is coming
  Usage usage;
  uint64_t seed = 0;                    // the seed used (the request's or the drawn one)
  std::vector<TokenInfo> prompt;        // where prompt_logprobs were asked for; [0] has no logprob
};

// Receives a request's events, on the engine's thread: must return quickly and must not call the engine
// except Cancel. Finished comes exactly once and last.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void OnDelta(Delta delta) = 0;
  virtual void OnFinished(Finished finished) = 0;
};

}  // namespace pingti::runtime
