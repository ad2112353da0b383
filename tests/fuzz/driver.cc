// main() of a fuzz program without a fuzzer runtime: replays a corpus folder, then runs seeded mutations of it.
//
//   gguf_fuzz CORPUS_FOLDER          PINGTI_FUZZ_RUNS mutations (100,000), seed PINGTI_FUZZ_SEED (1)
//   gguf_fuzz FILE...                these inputs only: how a saved crash is looked at again
//
// An input that crashes the target, or on which it runs for more than a second, is saved as <program>.crash in the working
// folder, and the program fails.
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "mutate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// Sanitizers end the process on their own; this is how they let us save the input first.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

constexpr size_t kInputBytesMax = size_t{1} << 16;
// Processor time, so that a busy machine changes nothing.
constexpr time_t kEndlessSeconds = 20;
constexpr double kSlowSeconds = 1;

// What the signal handler needs: the input under test and where to save it. One thread runs targets.
const std::string* input_under_test = nullptr;
std::string save_path;

void SaveInput(const char* why) {
  if (input_under_test == nullptr) return;
  std::FILE* file = std::fopen(save_path.c_str(), "wb");
  if (file != nullptr) {
    std::fwrite(input_under_test->data(), 1, input_under_test->size(), file);
    std::fclose(file);
  }
  std::fprintf(stderr, "%s: the input (%zu bytes) is in %s; run this program on that file\n", why,
               input_under_test->size(), save_path.c_str());
  input_under_test = nullptr;
}

// Not async-signal-safe, on purpose: the process ends here in any case, and the input is worth the try.
void OnSignal(int signal_number) {
  SaveInput(signal_number == SIGPROF ? "the target does not end" : "the target crashed");
  ::signal(signal_number, SIG_DFL);
  ::raise(signal_number);
}

void CatchCrashes() {
  if (&__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback([] { SaveInput("a sanitizer stopped the target"); });
    ::signal(SIGPROF, OnSignal);
    return;
  }
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGPROF}) ::signal(number, OnSignal);
}

// SIGPROF after this much processor time; 0 calls it off.
void SetTimer(time_t seconds) {
  itimerval timer{};
  timer.it_value.tv_sec = seconds;
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}

double ProcessorSeconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Runs the target on an exact copy, so that a sanitizer sees a read past the end.
bool RunOne(const std::string& input) {
  input_under_test = &input;
  std::vector<uint8_t> copy(input.begin(), input.end());
  copy.shrink_to_fit();
  SetTimer(kEndlessSeconds);
  const double start = ProcessorSeconds();
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
  const double took = ProcessorSeconds() - start;
  SetTimer(0);
  if (took > kSlowSeconds) {
    SaveInput("the target took more than a second");
    return false;
  }
  input_under_test = nullptr;
  return true;
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Files of the arguments, those of a folder in the order of their names.
std::vector<std::string> ReadInputs(int count, char** names) {
  std::vector<std::filesystem::path> paths;
  for (int i = 0; i < count; ++i) {
    if (!std::filesystem::is_directory(names[i])) {
      paths.emplace_back(names[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(names[i])) {
      if (entry.is_regular_file()) paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const auto& path : paths) inputs.push_back(ReadFile(path));
  return inputs;
}

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER | FILE...\n", argv[0]);
    return 2;
  }
  const std::string program = std::filesystem::path(argv[0]).filename();
  save_path = program + ".crash";
  std::vector<std::string> inputs = ReadInputs(argc - 1, argv + 1);
  const bool mutate = std::filesystem::is_directory(argv[1]) || inputs.empty();
  const uint64_t runs = mutate ? FromEnvironment("PINGTI_FUZZ_RUNS", 100000) : 0;
  const uint64_t seed = FromEnvironment("PINGTI_FUZZ_SEED", 1);
  std::printf("%s: %zu corpus files, %llu mutations, seed %llu\n", program.c_str(), inputs.size(),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  CatchCrashes();
  bool good = RunOne("");
  for (const std::string& input : inputs) good = RunOne(input) && good;
  if (inputs.empty()) inputs.emplace_back();
  const pingti::fuzz::Mutator mutator(std::move(inputs), kInputBytesMax);
  for (uint64_t run = 0; run < runs && good; ++run) good = RunOne(mutator.Make(seed, run));
  return good ? 0 : 1;
}
