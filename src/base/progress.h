// Progress: how far a long step is, for a person: a bar with rate and time left on a terminal, a
// sparse line now and then anywhere else. One thread calls Update and Finish (any, one at a time).
// Writes to standard error.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace pingti {

// "1.2 GB" (powers of ten), "950 kB".
std::string FormatBytes(double bytes);
// "2 s", "3 min 20 s", "1 h 5 min".
std::string FormatSeconds(double seconds);

class Progress final {
 public:
  struct Options {
    std::string title;                // "Downloading model.gguf"
    bool bytes = true;                // the units are bytes; else plain counts
    int64_t line_interval_ms = 5000;  // between lines where there is no terminal
    // For tests; the default writes to standard error if that is a terminal or not.
    std::function<void(const std::string&)> write = {};
    std::function<int64_t()> now_ms = {};
    int terminal_width = -1;  // 0: no terminal; -1: ask
  };

  explicit Progress(Options options);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // ends an unfinished bar's line

  // `done` of `all` units; all = 0: unknown. Cheap: draws at most ten times a second. What was
  // there before the first call (a resumed download) does not count for the rate.
  void Update(uint64_t done, uint64_t all);
  // The final line with the total time and the mean rate.
  void Finish();

 private:
  std::string Bar(double rate, int64_t now) const;
  std::string Amount() const;
  double Rate(int64_t now) const;

  Options options_;
  int width_ = 0;
  int64_t start_ms_ = 0;
  int64_t drawn_ms_ = -1;
  bool started_ = false;
  bool open_line_ = false;
  uint64_t first_ = 0;  // units that were done at the first Update
  uint64_t done_ = 0;
  uint64_t all_ = 0;
};

}  // namespace pingti
