// Speed of Linear by weight type and number of tokens, as shares of what the machine can do, measured in the same run.
//
//   matmul_bench [--types Q4_K,Q6_K] [--columns 1,4,512] [--rows 8960] [--cols 1536] [--megabytes 768] [--seconds 0.5]
//                [--prompt 1]
// PINGTI_ISA chooses the table; --prompt 1 the way of a prompt's tokens. Weights of `megabytes` are walked through, so that few tokens read from memory.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/machine_limits.h"
#include "kernels/testing/random_weights.h"
#include "ops/linear.h"

namespace pingti::bench {
namespace {

struct Settings {
  std::string types = "Q4_K,Q6_K,Q4_1,Q8_0,Q4_0";
  std::string columns = "1,2,4,8,16,32,512";
  int64_t rows = 8960;
  int64_t cols = 1536;
  size_t megabytes = 768;
  double seconds = 0.5;
  int threads = 0;
  bool prompt = false;
};

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<std::string> Split(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

bool ParseArguments(int argc, char** argv, Settings& s) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--types") {
      s.types = value;
    } else if (name == "--columns") {
      s.columns = value;
    } else if (name == "--rows") {
      s.rows = std::atoll(value);
    } else if (name == "--cols") {
      s.cols = std::atoll(value);
    } else if (name == "--megabytes") {
      s.megabytes = static_cast<size_t>(std::atoll(value));
    } else if (name == "--seconds") {
      s.seconds = std::atof(value);
    } else if (name == "--threads") {
      s.threads = std::atoi(value);
    } else if (name == "--prompt") {
      s.prompt = std::atoi(value) != 0;
    } else {
      return false;
    }
  }
  return argc % 2 == 1;
}

// Copies of one packed matrix that together fill `megabytes`.
struct Layers {
  AlignedBuffer bytes;
  std::vector<ops::Linear> linears;
};

Layers MakeLayers(ops::Context& ctx, DType type, const Settings& s) {
  const std::vector<std::byte> file =
      kernels::RandomWeights(type, static_cast<size_t>(s.rows * s.cols), 1);
  TensorView view = {"weights", type, 2, {s.rows, s.cols, 1, 1}, file};
  const ops::Linear::Source source = {&view, nullptr};
  Result<ops::Linear> first = ops::Linear::Pack(ctx, {&source, 1});
  PT_CHECK(first.ok(), first.status().message().c_str());
  const size_t size = first->packed().size();
  const size_t count = std::max<size_t>(1, (s.megabytes << 20) / size);
  Layers layers;
  layers.bytes = AlignedBuffer(size * count);
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(layers.bytes.data() + i * size, first->packed().data(), size);
    layers.linears.push_back(
        std::move(ops::Linear::Pack(ctx, {&source, 1}, layers.bytes.span().subspan(i * size, size)).value()));
  }
  return layers;
}

// Seconds a product, the median over walks through all layers.
double Time(ops::Context& ctx, const Layers& layers, int64_t columns, const Settings& s) {
  std::vector<float> x = kernels::RandomActivations(static_cast<size_t>(columns * s.cols), 2);
  const AlignedBuffer out(static_cast<size_t>(columns * s.rows) * sizeof(float));
  std::vector<double> times;
  const double begin = Seconds();
  size_t next = 0;
  while (Seconds() - begin < s.seconds || times.size() < 3) {
    const double start = Seconds();
    layers.linears[next].Apply(ctx, {x.data(), columns, s.cols, s.cols},
                               {reinterpret_cast<float*>(out.data()), columns, s.rows, s.rows}, s.prompt ? 0 : columns);
    times.push_back(Seconds() - start);
    next = (next + 1) % layers.linears.size();
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void BenchType(ops::Context& ctx, DType type, const Settings& s, double int8_peak) {
  const Layers layers = MakeLayers(ctx, type, s);
  for (const std::string& text : Split(s.columns)) {
    const int64_t columns = std::atoll(text.c_str());
    const double bandwidth = kernels::ReadRate(ctx.pool, layers.bytes.data(), layers.bytes.size());
    const double seconds = Time(ctx, layers, columns, s);
    const double bytes = static_cast<double>(layers.linears[0].weight_bytes());
    const double operations = 2.0 * static_cast<double>(s.rows * s.cols * columns);
    std::printf("%-7s %5lld tokens %9.1f us  %6.1f GB/s %3.0f%% of %5.1f  %8.1f GOP/s %3.0f%% of %.0f\n",
                std::string(Info(type).name).c_str(), static_cast<long long>(columns), seconds * 1e6,
                bytes / seconds * 1e-9, 100 * bytes / seconds / bandwidth, bandwidth * 1e-9,
                operations / seconds * 1e-9,
                int8_peak > 0 ? 100 * operations / seconds / int8_peak : 0.0, int8_peak * 1e-9);
    std::fflush(stdout);
  }
}

int Main(int argc, char** argv) {
  Settings settings;
  if (!ParseArguments(argc, argv, settings)) {
    std::fprintf(stderr, "see the head of bench/kernels/matmul_bench.cc for the options\n");
    return 2;
  }
  const auto table = kernels::ProcessTable();
  if (!table.ok()) {
    std::fprintf(stderr, "%s\n", table.status().ToString().c_str());
    return 1;
  }
  const double peak = kernels::MeasureMachineLimits(settings.threads, **table, 0).i8_ops;
  ThreadPool pool({.threads = settings.threads});
  pool.PinCaller();
  ops::Context ctx{pool, **table};
  std::printf("table %s, %d threads, weights [%lld, %lld]\n",
              std::string(kernels::IsaLevelName((*table)->level)).c_str(), pool.size(),
              static_cast<long long>(settings.rows), static_cast<long long>(settings.cols));
  for (const std::string& name : Split(settings.types)) {
    for (size_t i = 0; i < kDTypeCount; ++i) {
      if (Info(static_cast<DType>(i)).name == name) BenchType(ctx, static_cast<DType>(i), settings, peak);
    }
  }
  return 0;
}

}  // namespace
}  // namespace pingti::bench

int main(int argc, char** argv) { return pingti::bench::Main(argc, argv); }
