// Counters, gauges and histograms, and their text exposition for Prometheus. Writing is lock-free and a few
// nanoseconds, from any thread; Render reads while others write (each number is exact, the set is not one instant).
// A Registry borrows its series: they outlive it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pingti::observe {

class Counter final {
 public:
  void Add(double value = 1) { value_.fetch_add(value, std::memory_order_relaxed); }
  // For counts that are kept elsewhere and only copied here.
  void Set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Gauge final {
 public:
  void Set(double value) { value_.store(value, std::memory_order_relaxed); }
  void Add(double value) { value_.fetch_add(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram final {
 public:
  // Upper bounds, ascending; +Inf is added.
  explicit Histogram(std::vector<double> bounds);
  void Observe(double value);

  std::span<const double> bounds() const { return bounds_; }
  uint64_t count(size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }  // not cumulative
  double sum() const { return sum_.load(std::memory_order_relaxed); }
  uint64_t count() const;

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;  // [bounds_.size() + 1]
  std::atomic<double> sum_{0};
};

// One Counter or Histogram for each set of label values; values that never end (paths of attackers) are the caller's to
// avoid. With takes a lock: once per request, not per token.
template <typename Series>
class Family final {
 public:
  using Make = std::function<std::unique_ptr<Series>()>;
  explicit Family(Make make) : make_(std::move(make)) {}

  // `labels` as they are printed: method="GET",status="2xx".
  Series& With(const std::string& labels) {
    std::lock_guard lock(mutex_);
    auto& series = series_[labels];
    if (!series) series = make_();
    return *series;
  }
  void ForEach(const std::function<void(const std::string& labels, const Series& series)>& visit) const {
    std::lock_guard lock(mutex_);
    for (const auto& [labels, series] : series_) visit(labels, *series);
  }

 private:
  Make make_;
  mutable std::mutex mutex_;  // guards series_
  std::map<std::string, std::unique_ptr<Series>> series_;
};

class Registry final {
 public:
  // Labels that every series carries: model_name="m",engine="0".
  void SetCommonLabels(std::string labels) { common_ = std::move(labels); }

  void Add(std::string_view name, std::string_view help, const Counter& counter, std::string labels = {});
  void Add(std::string_view name, std::string_view help, const Gauge& gauge, std::string labels = {});
  void Add(std::string_view name, std::string_view help, const Histogram& histogram, std::string labels = {});
  void Add(std::string_view name, std::string_view help, const Family<Counter>& family);
  void Add(std::string_view name, std::string_view help, const Family<Histogram>& family);
  // A gauge that is computed when it is read.
  void Add(std::string_view name, std::string_view help, std::function<double()> read);

  // Prometheus text format 0.0.4. Series of one name stand together in the order of their Add.
  std::string Render() const;

 private:
  struct Entry {
    std::string name;
    std::string help;
    const char* type;
    std::function<void(std::string& out, const std::string& name, const std::string& common)> write;
  };
  void Insert(std::string_view name, std::string_view help, const char* type, decltype(Entry::write) write);

  std::string common_;
  std::vector<Entry> entries_;
};

// For label values: backslash, quote and line break escaped.
std::string EscapeLabel(std::string_view value);

}  // namespace pingti::observe
