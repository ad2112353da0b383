#include "base/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/i18n.h"

namespace pingti {
namespace {

constexpr int64_t kRedrawMs = 100;
constexpr int kBarCells = 24;
constexpr int kDefaultWidth = 80;

int TerminalWidth() {
  if (isatty(STDERR_FILENO) == 0) return 0;
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultWidth;
  return size.ws_col;
}

int64_t SteadyMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void WriteError(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

std::string FormatBytes(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  return fmt::format(fmt::runtime(unit == 0 || bytes >= 99.95 ? "{:.0f} {}" : "{:.1f} {}"), bytes,
                     kUnits[unit]);
}

std::string FormatSeconds(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", std::max(0.0, seconds));
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

Progress::Progress(Options options) : options_(std::move(options)) {
  if (!options_.write) options_.write = WriteError;
  if (!options_.now_ms) options_.now_ms = SteadyMs;
  width_ = options_.terminal_width >= 0 ? options_.terminal_width : TerminalWidth();
  start_ms_ = options_.now_ms();
}

Progress::~Progress() {
  if (open_line_) options_.write("\n");
}

double Progress::Rate(int64_t now) const {
  const double seconds = static_cast<double>(now - start_ms_) / 1000.0;
  return seconds > 0 ? static_cast<double>(done_ - std::min(first_, done_)) / seconds : 0;
}

std::string Progress::Amount() const {
  const auto text = [&](uint64_t units) {
    return options_.bytes ? FormatBytes(static_cast<double>(units)) : std::to_string(units);
  };
  return all_ == 0 ? text(done_) : text(done_) + " / " + text(all_);
}

// "Title [#####-----]  42%  1.0 GB / 2.4 GB  50 MB/s  28 s left", without the bar where the
// terminal is narrow.
std::string Progress::Bar(double rate, int64_t now) const {
  std::string line = options_.title + " ";
  if (all_ > 0) {
    const double share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(all_));
    const int filled = static_cast<int>(share * kBarCells);
    if (width_ >= kDefaultWidth)
      line += "[" + std::string(filled, '#') + std::string(kBarCells - filled, '-') + "] ";
    line += fmt::format("{:3.0f}%  ", std::floor(share * 100));
  }
  line += Amount();
  if (rate > 0 && now - start_ms_ >= kRedrawMs) {
    line += options_.bytes ? "  " + FormatBytes(rate) + "/s" : fmt::format("  {:.1f}/s", rate);
    if (all_ > done_) {
      const std::string left = FormatSeconds(static_cast<double>(all_ - done_) / rate);
      line += "  " + TrFormat("{} left", "剩余 {}", left);
    }
  }
  return line;
}

void Progress::Update(uint64_t done, uint64_t all) {
  const int64_t now = options_.now_ms();
  if (!started_) {
    started_ = true;
    first_ = done;
    start_ms_ = now;
    drawn_ms_ =
        now -
        (width_ > 0 ? kRedrawMs : 0);  // a bar shows at once; a line only when the step takes long
  }
  done_ = done;
  all_ = all;
  if (now - drawn_ms_ < (width_ > 0 ? kRedrawMs : options_.line_interval_ms)) return;
  drawn_ms_ = now;
  const std::string line = Bar(Rate(now), now);
  if (width_ > 0) {
    options_.write("\r" + line + "\x1b[K");
    open_line_ = true;
  } else {
    options_.write(line + "\n");
  }
}

void Progress::Finish() {
  const int64_t now = options_.now_ms();
  const double seconds = static_cast<double>(now - start_ms_) / 1000.0;
  std::string line = fmt::format("{}  {}  {}", options_.title, Amount(), FormatSeconds(seconds));
  if (options_.bytes && Rate(now) > 0) line += "  (" + FormatBytes(Rate(now)) + "/s)";
  options_.write((width_ > 0 ? "\r" + line + "\x1b[K" : line) + "\n");
  open_line_ = false;
}

}  // namespace pingti
