// real_logits MODEL [f16|bf16|q8 [prompts|answers]]: reads lists of token ids, one line each ("1 2 3"),
// and writes for each the logits of all its positions as raw F32 [positions, vocab] to standard
// output, computed as a prompt's rows or as an answer's. PINGTI_ISA chooses the kernels
// ("reference": the slow definition of correct). For accuracy.py.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "models/model.h"
#include "models/testing/runner.h"

namespace pingti {
namespace {

int Fail(const Status& status) {
  std::cerr << "real_logits: " << status.ToString() << "\n";
  return 1;
}

Result<kernels::KernelTable> ChooseTable() {
  const char* isa = std::getenv("PINGTI_ISA");
  if (isa != nullptr && std::string_view(isa) == "reference") return kernels::ReferenceTable();
  PT_ASSIGN(const kernels::KernelTable* table, kernels::ProcessTable());
  return *table;
}

std::vector<int32_t> ParseTokens(const std::string& line) {
  std::istringstream in(line);
  std::vector<int32_t> tokens;
  for (int32_t token = 0; in >> token;) tokens.push_back(token);
  return tokens;
}

constexpr size_t kChunk = 256;

void WriteLogits(models::Model& model, ops::KvType type, const std::vector<int32_t>& tokens, bool prompts) {
  models::testing::Runner runner(model, type, prompts);
  for (size_t begin = 0; begin < tokens.size(); begin += kChunk) {
    const size_t end = std::min(begin + kChunk, tokens.size());
    const std::vector<int32_t> piece(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                     tokens.begin() + static_cast<std::ptrdiff_t>(end));
    for (const std::vector<float>& row : runner.Step({{0, piece}})) {
      std::fwrite(row.data(), sizeof(float), row.size(), stdout);
    }
  }
  std::fflush(stdout);
}

int Run(const std::string& path, const std::string& kv, bool prompts) {
  Result<kernels::KernelTable> table = ChooseTable();
  if (!table.ok()) return Fail(table.status());
  const Result<ops::KvType> type = ops::ParseKvType(kv);
  if (!type.ok()) return Fail(type.status());
  const auto file = formats::OpenModelFile(path);
  if (!file.ok()) return Fail(file.status());
  ThreadPool pool({});
  ops::Context ctx = {.pool = pool, .kernels = *table};
  models::LoadOptions options;
  options.rows_max = static_cast<int32_t>(kChunk);
  const auto model = models::LoadModel(**file, ctx, options);
  if (!model.ok()) return Fail(model.status());
  for (std::string line; std::getline(std::cin, line);)
    WriteLogits(**model, *type, ParseTokens(line), prompts);
  return 0;
}

}  // namespace
}  // namespace pingti

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: real_logits MODEL [KV-TYPE [prompts|answers]]\n";
    return 2;
  }
  return pingti::Run(argv[1], argc > 2 ? argv[2] : "f16",
                     argc <= 3 || std::string_view(argv[3]) != "answers");
}
