// Metrics: every series of the server. Their names live in metrics.cc and nowhere else. Those that vLLM also has carry
// vLLM's names, labels and buckets, so that its boards and autoscalers work unchanged; ours begin with pingti_.
// Thread-safe; SetModel once, before the first Render.
#pragma once

#include <string>
#include <string_view>

#include "observe/registry.h"

namespace pingti::observe {

class Metrics final {
 public:
  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // `context_length` sets the edges of the token histograms, as in vLLM.
  void SetModel(std::string_view model_name, int64_t context_length);
  std::string Render() const { return registry_.Render(); }

  // Gauges of the engine.
  Gauge requests_running;
  Gauge requests_waiting;
  Gauge kv_cache_usage;               // [0, 1]
  Gauge kv_blocks;
  Gauge kv_blocks_used;
  Gauge kv_blocks_free;
  Gauge kv_blocks_cached;
  Gauge kv_waste;                     // [0, 1]
  Gauge seconds_since_progress;
  Gauge batch_tokens;
  Gauge batch_sequences;
  Gauge busy_share;                   // [0, 1], of the latest seconds

  // Counters of the engine, copied from it.
  Counter prefix_queries_tokens;
  Counter prefix_hits_tokens;
  Counter preemptions;
  Counter prompt_tokens;
  Counter prompt_tokens_cached;
  Counter generation_tokens;
  Counter steps;
  Counter busy_seconds;

  // One per way to end.
  Counter success_stop;
  Counter success_length;
  Counter success_abort;
  Counter success_error;

  // Histograms, fed by the engine's observer.
  Histogram time_to_first_token;
  Histogram inter_token_latency;
  Histogram time_per_output_token;    // mean of a request
  Histogram e2e_latency;
  Histogram queue_time;
  Histogram inference_time;
  Histogram prefill_time;
  Histogram decode_time;
  Histogram iteration_tokens;
  Histogram params_n;

  // HTTP. Labels: method, handler (the route, never the raw path), status ("2xx").
  Family<Counter> http_requests;
  Family<Histogram> http_duration;
  Gauge http_connections;
  Counter http_bytes_sent;
  Counter rejected;                   // 429 and 503
  Counter cancelled_by_client;
  Counter access_log_dropped;
  Family<Counter> key_tokens;         // labels: key (its name), kind
  Family<Counter> key_requests;       // labels: key, result (accepted, limited, forbidden, expired)

  // Token histograms, whose edges depend on the model; null before SetModel.
  std::unique_ptr<Histogram> request_prompt_tokens;
  std::unique_ptr<Histogram> request_generation_tokens;
  std::unique_ptr<Histogram> params_max_tokens;

 private:
  void RegisterEngine();
  void RegisterHttp();

  Registry registry_;
};

// 1, 2, 5, 10, 20, 50 ... up to `max`, as vLLM builds its token buckets.
std::vector<double> TokenBuckets(int64_t max);
// Resident memory of this process, bytes.
double ResidentBytes();

}  // namespace pingti::observe
