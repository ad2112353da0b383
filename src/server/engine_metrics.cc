#include "server/engine_metrics.h"

namespace pingti::server {

void EngineMetrics::OnStep(int32_t batch_tokens, double) {
  if (batch_tokens > 0) metrics_.iteration_tokens.Observe(batch_tokens);
}

void EngineMetrics::OnFirstToken(double seconds_since_arrival) {
  metrics_.time_to_first_token.Observe(seconds_since_arrival);
}

void EngineMetrics::OnInterToken(double seconds) { metrics_.inter_token_latency.Observe(seconds); }

void EngineMetrics::OnRequest(const RequestTimes& times) {
  switch (times.reason) {
    case runtime::FinishReason::kStop: metrics_.success_stop.Add(); break;
    case runtime::FinishReason::kLength: metrics_.success_length.Add(); break;
    case runtime::FinishReason::kCancelled: metrics_.success_abort.Add(); break;
    default: metrics_.success_error.Add(); break;
  }
  metrics_.queue_time.Observe(times.queue_seconds);
  metrics_.prefill_time.Observe(times.prefill_seconds);
  metrics_.decode_time.Observe(times.decode_seconds);
  metrics_.inference_time.Observe(times.prefill_seconds + times.decode_seconds);
  metrics_.e2e_latency.Observe(times.e2e_seconds);
  metrics_.params_n.Observe(times.n);
  if (times.usage.completion_tokens > times.n) {
    metrics_.time_per_output_token.Observe(times.decode_seconds * times.n /
                                           (times.usage.completion_tokens - times.n));
  }
  metrics_.request_prompt_tokens->Observe(times.usage.prompt_tokens);
  metrics_.request_generation_tokens->Observe(times.usage.completion_tokens);
  if (times.max_tokens > 0) metrics_.params_max_tokens->Observe(times.max_tokens);
}

}  // namespace pingti::server
