// EngineMetrics: the engine's observer that feeds the histograms. Called on the engine's thread; a few atomic adds.
#pragma once

#include "observe/metrics.h"
#include "runtime/engine.h"

namespace pingti::server {

class EngineMetrics final : public runtime::EngineObserver {
 public:
  // `metrics` outlives the observer and knows its model before the first request.
  explicit EngineMetrics(observe::Metrics& metrics) : metrics_(metrics) {}

  void OnStep(int32_t batch_tokens, double seconds) override;
  void OnFirstToken(double seconds_since_arrival) override;
  void OnInterToken(double seconds) override;
  void OnRequest(const RequestTimes& times) override;

 private:
  observe::Metrics& metrics_;
};

}  // namespace pingti::server
