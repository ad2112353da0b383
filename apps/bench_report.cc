#include <fmt/format.h>

#include <algorithm>

#include "base/i18n.h"
#include "bench.h"

namespace pingti::apps {
namespace {

std::string Number(double value) {
  const char* form = value >= 1000 ? "{:.0f}" : value >= 10 ? "{:.1f}" : "{:.3g}";
  return fmt::format(fmt::runtime(form), value);
}

}  // namespace

double BenchRow::Median() const {
  if (values.empty()) return 0;
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double BenchRow::Min() const {
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}
double BenchRow::Max() const {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

BenchRow& BenchReport::Row(const std::string& name, const std::string& unit) {
  for (BenchRow& row : rows_) {
    if (row.name == name) return row;
  }
  rows_.push_back({.name = name, .unit = unit, .values = {}, .limit_name = {}});
  return rows_.back();
}

std::string BenchReport::Table() const {
  std::string out;
  for (const auto& [key, value] : facts_) {
    if (value.is_object()) continue;
    out += fmt::format("{}: {}\n", std::string(key),
                       value.is_string() ? std::string(value.get_string()) : ToJson(value));
  }
  out += fmt::format("\n{:<20} {:>10} {:>9} {:>9}  {:<7} {}\n", Tr("what", "项目"),
                     Tr("median", "中位数"), Tr("min", "最小"), Tr("max", "最大"),
                     Tr("unit", "单位"), Tr("share of the limit", "占极限"));
  for (const BenchRow& row : rows_) {
    const std::string share =
        row.limit > 0 ? fmt::format("{:.0f}% {}", 100 * row.Median() / row.limit, row.limit_name)
                      : "";
    out += fmt::format("{:<20} {:>10} {:>9} {:>9}  {:<7} {}\n", row.name, Number(row.Median()),
                       Number(row.Min()), Number(row.Max()), row.unit, share);
  }
  return out;
}

std::string BenchReport::Json() const {
  json::object root = facts_;
  json::array rows;
  for (const BenchRow& row : rows_) {
    json::object entry = {
        {"name", row.name},       {"unit", row.unit},
        {"median", row.Median()}, {"min", row.Min()},
        {"max", row.Max()},       {"values", json::array(row.values.begin(), row.values.end())}};
    if (row.limit > 0) {
      entry["limit"] = row.limit;
      entry["limit_name"] = row.limit_name;
      entry["share"] = row.Median() / row.limit;
    }
    rows.push_back(std::move(entry));
  }
  root["rows"] = std::move(rows);
  return ToJson(root) + "\n";
}

}  // namespace pingti::apps
