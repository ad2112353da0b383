// WeightLoader: from a file's tensors to Linears that are ready to run. A family adds its matrices,
// in any order, and loads them all at once: from the copy of repacked weights that an earlier start
// has kept, or by packing (and keeping) them. Used by one thread while a model is made.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/model_file.h"
#include "models/model.h"
#include "models/repack_file.h"
#include "ops/context.h"
#include "ops/linear.h"

namespace pingti::models {

// What the Linears borrow from; lives as long as they.
struct PackedWeights {
  std::optional<RepackFile> file;  // none: they own their memory
  size_t bytes = 0;                // of all packed matrices
  size_t bytes_per_token = 0;      // that one decoded token reads
  bool has_prompt_path = false;    // of any Linear
};

class WeightLoader final {
 public:
  WeightLoader(const formats::ModelFile& file, ops::Context& ctx, const LoadOptions& options)
      : file_(file), ctx_(ctx), options_(options) {}

  const formats::ModelFile& file() const { return file_; }
  // nullptr where the file has none of that name.
  const TensorView* Find(std::string_view name) const { return file_.FindTensor(name); }
  Result<std::vector<float>> Vector(std::string_view name) const;

  // Joins `names` (weights without ".weight"; each with its ".bias" where the file has one) into
  // `target`, which stays where it is until Load.
  Status Add(std::vector<std::string> names, ops::Linear& target);
  Result<PackedWeights> Load();

 private:
  struct Item {
    std::string name;  // of all its tensors, joined by "+"
    std::vector<ops::Linear::Source> sources;
    ops::Linear::PackPlan plan;
    ops::Linear* target = nullptr;
  };

  Result<PackedWeights> PackInMemory();
  Status WriteRepacked(const std::filesystem::path& path, const RepackKey& key);
  Result<PackedWeights> MapRepacked(const std::filesystem::path& path, const RepackKey& key);
  PackedWeights Finish(std::optional<RepackFile> file) const;
  void ReleaseSources(const Item& item) const;
  void Progress(size_t item_index) const;
  void Warn(std::string_view what, const Status& status) const;

  const formats::ModelFile& file_;
  ops::Context& ctx_;
  const LoadOptions& options_;
  std::vector<Item> items_;
  size_t packed_bytes_ = 0;
};

}  // namespace pingti::models
