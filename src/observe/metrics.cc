#include "observe/metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

namespace pingti::observe {

namespace {

const std::vector<double> kFirstTokenBuckets = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5,   0.75,
                                                1.0,   2.5,   5.0,  7.5,  10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0};
const std::vector<double> kInterTokenBuckets = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,  0.3,  0.4, 0.5,
                                                0.75, 1.0,   2.5,  5.0,   7.5, 10.0, 20.0, 40.0, 80.0};
const std::vector<double> kLatencyBuckets = {0.3,  0.5,  0.8,  1.0,  1.5,   2.0,   2.5,   5.0,   10.0,   15.0,
                                             20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0};
const std::vector<double> kIterationBuckets = {1,   8,   16,   32,   64,   128,  256,
                                               512, 1024, 2048, 4096, 8192, 16384};
const std::vector<double> kParamsNBuckets = {1, 2, 5, 10, 20};
const std::vector<double> kHttpBuckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

double ResidentBytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  long long pages = 0;
  const int read = std::fscanf(file, "%*d %lld", &pages);
  std::fclose(file);
  return read == 1 ? static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) : 0;
}

std::vector<double> TokenBuckets(int64_t max) {
  std::vector<double> bounds;
  for (int64_t decade = 1;; decade *= 10) {
    for (const int64_t mantissa : {1, 2, 5}) {
      const int64_t value = mantissa * decade;
      if (value > max) return bounds;
      bounds.push_back(static_cast<double>(value));
    }
  }
}

Metrics::Metrics()
    : time_to_first_token(kFirstTokenBuckets),
      inter_token_latency(kInterTokenBuckets),
      time_per_output_token(kInterTokenBuckets),
      e2e_latency(kLatencyBuckets),
      queue_time(kLatencyBuckets),
      inference_time(kLatencyBuckets),
      prefill_time(kLatencyBuckets),
      decode_time(kLatencyBuckets),
      iteration_tokens(kIterationBuckets),
      params_n(kParamsNBuckets),
      http_requests([] { return std::make_unique<Counter>(); }),
      http_duration([] { return std::make_unique<Histogram>(kHttpBuckets); }),
      key_tokens([] { return std::make_unique<Counter>(); }),
      key_requests([] { return std::make_unique<Counter>(); }) {
  RegisterEngine();
  RegisterHttp();
}

void Metrics::RegisterEngine() {
  Registry& r = registry_;
  r.Add("vllm:num_requests_running", "Number of requests in model execution batches.", requests_running);
  r.Add("vllm:num_requests_waiting", "Number of requests waiting to be processed.", requests_waiting);
  r.Add("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage.", kv_cache_usage);
  r.Add("vllm:prefix_cache_queries_total", "Prefix cache queries, in number of queried tokens.", prefix_queries_tokens);
  r.Add("vllm:prefix_cache_hits_total", "Prefix cache hits, in number of cached tokens.", prefix_hits_tokens);
  r.Add("vllm:num_preemptions_total", "Number of preemptions from the engine.", preemptions);
  r.Add("vllm:prompt_tokens_total", "Number of prefill tokens processed.", prompt_tokens);
  r.Add("vllm:prompt_tokens_cached_total", "Number of prompt tokens found in the prefix cache.", prompt_tokens_cached);
  r.Add("vllm:generation_tokens_total", "Number of generation tokens processed.", generation_tokens);
  constexpr char kSuccess[] = "vllm:request_success_total";
  constexpr char kSuccessHelp[] = "Count of finished requests by the reason of their end.";
  r.Add(kSuccess, kSuccessHelp, success_stop, "finished_reason=\"stop\"");
  r.Add(kSuccess, kSuccessHelp, success_length, "finished_reason=\"length\"");
  r.Add(kSuccess, kSuccessHelp, success_abort, "finished_reason=\"abort\"");
  r.Add(kSuccess, kSuccessHelp, success_error, "finished_reason=\"error\"");
  r.Add("vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.", time_to_first_token);
  r.Add("vllm:inter_token_latency_seconds", "Histogram of inter-token latency in seconds.", inter_token_latency);
  r.Add("vllm:request_time_per_output_token_seconds", "Histogram of a request's mean time per output token in seconds.",
        time_per_output_token);
  r.Add("vllm:e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.", e2e_latency);
  r.Add("vllm:request_queue_time_seconds", "Histogram of time spent in the waiting phase.", queue_time);
  r.Add("vllm:request_inference_time_seconds", "Histogram of time spent in the running phase.", inference_time);
  r.Add("vllm:request_prefill_time_seconds", "Histogram of time spent in the prefill phase.", prefill_time);
  r.Add("vllm:request_decode_time_seconds", "Histogram of time spent in the decode phase.", decode_time);
  r.Add("vllm:iteration_tokens_total", "Histogram of number of tokens per engine step.", iteration_tokens);
  r.Add("vllm:request_params_n", "Histogram of the n request parameter.", params_n);
  r.Add("pingti_kv_blocks", "KV blocks in all.", kv_blocks);
  r.Add("pingti_kv_blocks_used", "KV blocks held by running sequences.", kv_blocks_used);
  r.Add("pingti_kv_blocks_free", "KV blocks that a sequence may take, those kept for reuse included.", kv_blocks_free);
  r.Add("pingti_kv_blocks_cached", "KV blocks kept only for reuse.", kv_blocks_cached);
  r.Add("pingti_kv_waste_ratio", "Share of the used KV blocks' places that hold no token.", kv_waste);
  r.Add("pingti_engine_seconds_since_progress", "Seconds since the engine's loop last came round.",
        seconds_since_progress);
  r.Add("pingti_engine_batch_tokens", "Tokens of the latest step.", batch_tokens);
  r.Add("pingti_engine_batch_sequences", "Sequences of the latest step.", batch_sequences);
  r.Add("pingti_engine_busy_share", "Share of the latest seconds that was spent in steps.", busy_share);
  r.Add("pingti_engine_steps_total", "Steps of the engine.", steps);
  r.Add("pingti_engine_busy_seconds_total", "Seconds spent in steps.", busy_seconds);
}

void Metrics::RegisterHttp() {
  Registry& r = registry_;
  r.Add("http_requests_total", "HTTP requests by method, handler and status class.", http_requests);
  r.Add("http_request_duration_seconds", "HTTP latency by method and handler.", http_duration);
  r.Add("pingti_http_connections", "Open connections.", http_connections);
  r.Add("pingti_http_sent_bytes_total", "Bytes sent.", http_bytes_sent);
  r.Add("pingti_requests_rejected_total", "Requests answered 429 or 503.", rejected);
  r.Add("pingti_requests_cancelled_total", "Requests whose client went away.", cancelled_by_client);
  r.Add("pingti_access_log_dropped_total", "Access log lines lost because the log could not keep up.",
        access_log_dropped);
  r.Add("pingti_key_tokens_total", "Tokens by API key and kind.", key_tokens);
  r.Add("pingti_key_requests_total", "Requests by API key and what became of them.", key_requests);
  r.Add("process_resident_memory_bytes", "Resident memory size in bytes.", ResidentBytes);
  r.Add("process_cpu_seconds_total", "User and system CPU time in seconds.", CpuSeconds);
  const auto start = static_cast<double>(std::time(nullptr));
  r.Add("process_start_time_seconds", "Start time since the Unix epoch in seconds.", [start] { return start; });
}

void Metrics::SetModel(std::string_view model_name, int64_t context_length) {
  registry_.SetCommonLabels("model_name=\"" + EscapeLabel(model_name) + "\",engine=\"0\"");
  const std::vector<double> bounds = TokenBuckets(context_length);
  request_prompt_tokens = std::make_unique<Histogram>(bounds);
  request_generation_tokens = std::make_unique<Histogram>(bounds);
  params_max_tokens = std::make_unique<Histogram>(bounds);
  registry_.Add("vllm:request_prompt_tokens", "Number of prefill tokens processed.", *request_prompt_tokens);
  registry_.Add("vllm:request_generation_tokens", "Number of generation tokens processed.", *request_generation_tokens);
  registry_.Add("vllm:request_params_max_tokens", "Histogram of the max_tokens request parameter.", *params_max_tokens);
}

}  // namespace pingti::observe
