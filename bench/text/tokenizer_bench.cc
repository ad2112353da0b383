// tokenizer_bench VOCABULARY.gguf TEXT-FILE: how fast a model's tokenizer cuts a text, one thread. Prints a JSON line with the
// median of the rounds; the ids go to stderr, for bench/text/tokenizer_bench.py, which compares both with Python's.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "base/file.h"
#include "formats/model_file.h"
#include "runtime/bundle.h"

namespace pingti {
namespace {

constexpr int kRounds = 9;

double SecondsOf(const text::Tokenizer& tokenizer, const std::string& text, std::vector<int32_t>& ids) {
  const auto start = std::chrono::steady_clock::now();
  ids = tokenizer.Encode(text, {});
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Status Run(const char* vocabulary, const char* text_file) {
  PT_ASSIGN(const auto file, formats::OpenModelFile(vocabulary));
  PT_ASSIGN(const auto tokenizer, runtime::MakeTokenizer(*file));
  PT_ASSIGN(const std::string text, ReadFile(text_file));
  std::vector<int32_t> ids;
  std::vector<double> seconds;
  for (int round = 0; round < kRounds; ++round) seconds.push_back(SecondsOf(*tokenizer, text, ids));
  std::ranges::sort(seconds);
  std::printf("{\"bytes\": %zu, \"tokens\": %zu, \"mb_per_s\": %.2f, \"worst_mb_per_s\": %.2f}\n", text.size(), ids.size(),
              static_cast<double>(text.size()) / seconds[kRounds / 2] / 1e6,
              static_cast<double>(text.size()) / seconds.back() / 1e6);
  for (const int32_t id : ids) std::fprintf(stderr, "%d\n", id);
  return Status::Ok();
}

}  // namespace
}  // namespace pingti

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: tokenizer_bench VOCABULARY.gguf TEXT-FILE\n");
    return 2;
  }
  const pingti::Status status = pingti::Run(argv[1], argv[2]);
  if (!status.ok()) std::fprintf(stderr, "tokenizer_bench: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
