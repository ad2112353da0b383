#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "observe/access_log.h"
#include "observe/metrics.h"

namespace pingti::observe {
namespace {

TEST(Histogram, BucketsAreUpperBounds) {
  Histogram histogram({1, 2, 5});
  for (const double value : {0.5, 1.0, 1.5, 5.0, 6.0}) histogram.Observe(value);
  EXPECT_EQ(histogram.count(0), 2U);
  EXPECT_EQ(histogram.count(1), 1U);
  EXPECT_EQ(histogram.count(2), 1U);
  EXPECT_EQ(histogram.count(3), 1U);
  EXPECT_EQ(histogram.count(), 5U);
  EXPECT_DOUBLE_EQ(histogram.sum(), 14);
}

TEST(Histogram, ManyThreadsLoseNothing) {
  Histogram histogram({1});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) histogram.Observe(1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(histogram.count(), 40'000U);
  EXPECT_DOUBLE_EQ(histogram.sum(), 40'000);
}

TEST(Registry, TextFormat) {
  Counter counter;
  Histogram histogram({0.5, 1});
  Family<Counter> family([] { return std::make_unique<Counter>(); });
  Counter second;
  Registry registry;
  registry.SetCommonLabels("m=\"" + EscapeLabel("a\"b\\") + "\"");
  registry.Add("c_total", "Counts.", counter, "k=\"1\"");
  registry.Add("h", "Times.", histogram);
  registry.Add("c_total", "Counts.", second, "k=\"2\"");
  registry.Add("f_total", "By label.", family);
  counter.Add(3);
  histogram.Observe(0.75);
  family.With("x=\"y\"").Add();
  EXPECT_EQ(registry.Render(),
            "# HELP c_total Counts.\n# TYPE c_total counter\n"
            "c_total{m=\"a\\\"b\\\\\",k=\"1\"} 3\nc_total{m=\"a\\\"b\\\\\",k=\"2\"} 0\n"
            "# HELP h Times.\n# TYPE h histogram\n"
            "h_bucket{m=\"a\\\"b\\\\\",le=\"0.5\"} 0\nh_bucket{m=\"a\\\"b\\\\\",le=\"1.0\"} 1\n"
            "h_bucket{m=\"a\\\"b\\\\\",le=\"+Inf\"} 1\nh_count{m=\"a\\\"b\\\\\"} 1\nh_sum{m=\"a\\\"b\\\\\"} 0.75\n"
            "# HELP f_total By label.\n# TYPE f_total counter\nf_total{x=\"y\"} 1\n");
}

TEST(Metrics, NamesOfOtherServersBoards) {
  Metrics metrics;
  metrics.SetModel("m", 8192);
  metrics.time_to_first_token.Observe(0.03);
  const std::string text = metrics.Render();
  for (const char* line :
       {"vllm:num_requests_running{model_name=\"m\",engine=\"0\"} 0\n",
        "vllm:time_to_first_token_seconds_bucket{model_name=\"m\",engine=\"0\",le=\"0.04\"} 1\n",
        "vllm:request_success_total{model_name=\"m\",engine=\"0\",finished_reason=\"stop\"} 0\n",
        "vllm:request_prompt_tokens_bucket{model_name=\"m\",engine=\"0\",le=\"5000.0\"} 0\n",
        "# TYPE vllm:kv_cache_usage_perc gauge\n", "# TYPE process_resident_memory_bytes gauge\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
  EXPECT_GT(ResidentBytes(), 1e5);
}

TEST(Metrics, TokenBuckets) {
  EXPECT_EQ(TokenBuckets(60), (std::vector<double>{1, 2, 5, 10, 20, 50}));
  EXPECT_EQ(TokenBuckets(1), (std::vector<double>{1}));
}

TEST(AccessLog, WritesEveryLineAndNoUnknowns) {
  const std::string path = testing::TempDir() + "/pingti_access_unit_" + std::to_string(getpid());
  {
    auto log = AccessLog::Open(path);
    ASSERT_TRUE(log.ok());
    for (int i = 0; i < 100; ++i) {
      (*log)->Write({.request_id = "r" + std::to_string(i), .key_name = {}, .method = "GET", .path = "/\"x\n",
                     .peer = {}, .model = {}, .finish_reason = {}, .status = 200});
    }
  }
  const std::string text = *ReadFile(path);
  std::filesystem::remove(path);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 100);
  const json::value line = ParseJson(text.substr(0, text.find('\n'))).value();
  EXPECT_EQ(line.at("path"), "/\"x\n");
  EXPECT_FALSE(line.as_object().contains("ttft_ms"));
  EXPECT_FALSE(line.as_object().contains("key"));
  EXPECT_FALSE(AccessLog::Open("/nonexistent/folder/log").ok());
}

}  // namespace
}  // namespace pingti::observe
