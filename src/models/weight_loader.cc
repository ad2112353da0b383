#include "models/weight_loader.h"

#include <fmt/format.h>

#include "ops/elementwise.h"

namespace pingti::models {
namespace {

constexpr uintmax_t kCacheFactor =
    3;  // default bound of the cache's folder: so many times this model

size_t SourceBytes(const std::vector<ops::Linear::Source>& sources) {
  size_t bytes = 0;
  for (const ops::Linear::Source& source : sources) bytes += source.weight->bytes.size();
  return bytes;
}

}  // namespace

Result<std::vector<float>> WeightLoader::Vector(std::string_view name) const {
  const TensorView* tensor = Find(name);
  if (tensor == nullptr)
    return InvalidArgument(fmt::format("tensor '{}' is missing", name), std::string(name));
  Result<std::vector<float>> values = ops::ReadVector(*tensor);
  if (!values.ok()) return values.status().WithContext(fmt::format("tensor '{}'", name));
  return values;
}

Status WeightLoader::Add(std::vector<std::string> names, ops::Linear& target) {
  Item item;
  item.target = &target;
  for (const std::string& name : names) {
    const TensorView* weight = Find(name + ".weight");
    if (weight == nullptr)
      return InvalidArgument(fmt::format("tensor '{}.weight' is missing", name), name + ".weight");
    item.sources.push_back({.weight = weight, .maybe_bias = Find(name + ".bias")});
    item.name += (item.name.empty() ? "" : "+") + name;
  }
  Result<ops::Linear::PackPlan> plan = ops::Linear::Plan(ctx_, item.sources);
  if (!plan.ok()) return plan.status().WithContext(item.name);
  item.plan = std::move(plan).value();
  packed_bytes_ += item.plan.bytes;
  items_.push_back(std::move(item));
  return Status::Ok();
}

Result<PackedWeights> WeightLoader::Load() {
  if (options_.repack_cache_dir.empty()) return PackInMemory();
  const RepackKey key = {file_.Fingerprint(),
                         std::string(kernels::IsaLevelName(ctx_.kernels.level))};
  const std::filesystem::path path = RepackPath(options_.repack_cache_dir, key);
  if (Result<PackedWeights> mapped = MapRepacked(path, key); mapped.ok()) {
    return mapped;
  } else if (mapped.status().code() != StatusCode::kNotFound) {
    Warn("the repacked weights are made again", mapped.status());
  }
  const uintmax_t bytes_max = options_.repack_cache_bytes_max > 0 ? options_.repack_cache_bytes_max
                                                                  : kCacheFactor * packed_bytes_;
  // Room first, for a full disk; the new file counts before it is there.
  TrimRepackFolder(options_.repack_cache_dir, path,
                   bytes_max > packed_bytes_ ? bytes_max - packed_bytes_ : 0);
  Status status = WriteRepacked(path, key);
  if (status.ok()) {
    Result<PackedWeights> mapped = MapRepacked(path, key);
    if (mapped.ok()) return mapped;
    status = mapped.status();
  }
  Warn("the repacked weights are not kept", status);
  return PackInMemory();
}

Result<PackedWeights> WeightLoader::PackInMemory() {
  for (size_t i = 0; i < items_.size(); ++i) {
    Item& item = items_[i];
    Result<ops::Linear> linear = ops::Linear::Pack(ctx_, item.sources);
    if (!linear.ok()) return linear.status().WithContext(item.name);
    *item.target = std::move(linear).value();
    ReleaseSources(item);
    Progress(i);
  }
  return Finish(std::nullopt);
}

// One matrix at a time is in memory.
Status WeightLoader::WriteRepacked(const std::filesystem::path& path, const RepackKey& key) {
  PT_ASSIGN(RepackWriter writer, RepackWriter::Create(path, key));
  for (size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    const Result<ops::Linear> linear = ops::Linear::Pack(ctx_, item.sources);
    if (!linear.ok()) return linear.status().WithContext(item.name);
    PT_TRY(writer.Append(item.name, linear->layout(), linear->packed()));
    ReleaseSources(item);
    Progress(i);
  }
  return writer.Commit();
}

Result<PackedWeights> WeightLoader::MapRepacked(const std::filesystem::path& path,
                                                const RepackKey& key) {
  PT_ASSIGN(RepackFile file, RepackFile::Open(path, key, ctx_.pool));
  for (const Item& item : items_) {
    const RepackEntry* entry = file.Find(item.name);
    if (entry == nullptr || entry->layout != item.plan.layout ||
        entry->bytes.size() != item.plan.bytes) {
      return DataLoss(fmt::format("{}: no '{}' in layout {} of {} bytes", path.string(), item.name,
                                  item.plan.layout, item.plan.bytes));
    }
  }
  for (const Item& item : items_) {
    Result<ops::Linear> linear = ops::Linear::Pack(ctx_, item.sources, file.Find(item.name)->bytes);
    if (!linear.ok()) return linear.status().WithContext(item.name);
    *item.target = std::move(linear).value();
  }
  if (!items_.empty()) Progress(items_.size() - 1);
  return Finish(std::move(file));
}

PackedWeights WeightLoader::Finish(std::optional<RepackFile> file) const {
  PackedWeights weights = {.file = std::move(file), .bytes = packed_bytes_};
  for (const Item& item : items_) {
    weights.bytes_per_token += item.target->weight_bytes();
    weights.has_prompt_path |= item.target->has_prompt_path();
  }
  return weights;
}

void WeightLoader::ReleaseSources(const Item& item) const {
  for (const ops::Linear::Source& source : item.sources) ReleasePages(source.weight->bytes);
}

void WeightLoader::Progress(size_t item_index) const {
  if (!options_.on_progress) return;
  size_t done = 0;
  size_t all = 0;
  for (size_t i = 0; i < items_.size(); ++i) {
    const size_t bytes = SourceBytes(items_[i].sources);
    all += bytes;
    if (i <= item_index) done += bytes;
  }
  options_.on_progress(done, all);
}

void WeightLoader::Warn(std::string_view what, const Status& status) const {
  if (options_.on_warning) options_.on_warning(fmt::format("{}: {}", what, status.message()));
}

}  // namespace pingti::models
