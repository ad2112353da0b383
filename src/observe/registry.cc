#include "observe/registry.h"

#include <algorithm>
#include <charconv>

namespace pingti::observe {

namespace {

void AppendNumber(std::string& out, double value) {
  char text[32];
  const auto result = std::to_chars(text, text + sizeof(text), value);
  out.append(text, result.ptr);
}

std::string Join(const std::string& a, const std::string& b) { return a.empty() || b.empty() ? a + b : a + "," + b; }

void AppendSample(std::string& out, const std::string& name, const std::string& labels, double value) {
  out += name;
  if (!labels.empty()) out += "{" + labels + "}";
  out += ' ';
  AppendNumber(out, value);
  out += '\n';
}

void AppendHistogram(std::string& out, const std::string& name, const std::string& labels, const Histogram& histogram) {
  uint64_t cumulative = 0;
  const auto bounds = histogram.bounds();
  for (size_t i = 0; i <= bounds.size(); ++i) {
    cumulative += histogram.count(i);
    std::string bound = "+Inf";
    if (i < bounds.size()) {
      bound.clear();
      AppendNumber(bound, bounds[i]);
      // As Prometheus clients print them: 1.0, not 1.
      if (bound.find_first_of(".e") == std::string::npos) bound += ".0";
    }
    AppendSample(out, name + "_bucket", Join(labels, "le=\"" + bound + "\""), static_cast<double>(cumulative));
  }
  AppendSample(out, name + "_count", labels, static_cast<double>(cumulative));
  AppendSample(out, name + "_sum", labels, histogram.sum());
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(new std::atomic<uint64_t>[bounds_.size() + 1]()) {}

void Histogram::Observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

uint64_t Histogram::count() const {
  uint64_t all = 0;
  for (size_t i = 0; i <= bounds_.size(); ++i) all += count(i);
  return all;
}

void Registry::Insert(std::string_view name, std::string_view help, const char* type, decltype(Entry::write) write) {
  Entry entry{.name = std::string(name), .help = std::string(help), .type = type, .write = std::move(write)};
  // Beside its namesakes: the format wants one block per name.
  auto at = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (it->name == entry.name) at = it + 1;
  }
  entries_.insert(at, std::move(entry));
}

void Registry::Add(std::string_view name, std::string_view help, const Counter& counter, std::string labels) {
  Insert(name, help, "counter", [&counter, labels](std::string& out, const std::string& full, const std::string& common) {
    AppendSample(out, full, Join(common, labels), counter.value());
  });
}

void Registry::Add(std::string_view name, std::string_view help, const Gauge& gauge, std::string labels) {
  Insert(name, help, "gauge", [&gauge, labels](std::string& out, const std::string& full, const std::string& common) {
    AppendSample(out, full, Join(common, labels), gauge.value());
  });
}

void Registry::Add(std::string_view name, std::string_view help, const Histogram& histogram, std::string labels) {
  Insert(name, help, "histogram",
         [&histogram, labels](std::string& out, const std::string& full, const std::string& common) {
           AppendHistogram(out, full, Join(common, labels), histogram);
         });
}

void Registry::Add(std::string_view name, std::string_view help, const Family<Counter>& family) {
  Insert(name, help, "counter", [&family](std::string& out, const std::string& full, const std::string&) {
    family.ForEach([&](const std::string& labels, const Counter& counter) {
      AppendSample(out, full, labels, counter.value());
    });
  });
}

void Registry::Add(std::string_view name, std::string_view help, const Family<Histogram>& family) {
  Insert(name, help, "histogram", [&family](std::string& out, const std::string& full, const std::string&) {
    family.ForEach([&](const std::string& labels, const Histogram& histogram) {
      AppendHistogram(out, full, labels, histogram);
    });
  });
}

void Registry::Add(std::string_view name, std::string_view help, std::function<double()> read) {
  Insert(name, help, "gauge", [read = std::move(read)](std::string& out, const std::string& full, const std::string&) {
    AppendSample(out, full, "", read());
  });
}

std::string Registry::Render() const {
  std::string out;
  out.reserve(entries_.size() * 256);
  const std::string* previous = nullptr;
  for (const Entry& entry : entries_) {
    if (previous == nullptr || *previous != entry.name) {
      out += "# HELP " + entry.name + " " + entry.help + "\n# TYPE " + entry.name + " " + entry.type + "\n";
    }
    previous = &entry.name;
    entry.write(out, entry.name, common_);
  }
  return out;
}

std::string EscapeLabel(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace pingti::observe
