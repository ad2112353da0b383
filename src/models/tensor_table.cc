#include "models/tensor_table.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

namespace pingti::models {
namespace {

constexpr size_t kProblemsShown = 8;

std::string ShapeText(const TensorView& tensor) {
  std::string text = "[";
  for (int i = 0; i < tensor.dims; ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", tensor.shape[static_cast<size_t>(i)]);
  }
  return text + "]";
}

std::string ShapeText(TensorTable::Shape shape) {
  return shape.rows == 1 ? fmt::format("[{}]", shape.cols)
                         : fmt::format("[{}, {}]", shape.rows, shape.cols);
}

}  // namespace

Status TensorTable::Check(const formats::ModelFile& file) const {
  std::vector<std::string> problems;
  for (const auto& [name, entry] : entries_) {
    const TensorView* tensor = file.FindTensor(name);
    if (tensor == nullptr) {
      if (entry.use == Use::kRequired) {
        problems.push_back(fmt::format("tensor '{}' {} is missing", name, ShapeText(entry.shape)));
      }
      continue;
    }
    if (entry.use == Use::kIgnored) continue;
    if (tensor->rows() != entry.shape.rows || tensor->cols() != entry.shape.cols) {
      problems.push_back(fmt::format("tensor '{}' has shape {}, wanted {}", name,
                                     ShapeText(*tensor), ShapeText(entry.shape)));
    }
  }
  for (const TensorView& tensor : file.tensors()) {
    if (!entries_.contains(tensor.name)) {
      problems.push_back(fmt::format("tensor '{}' {} is not one of this architecture's",
                                     tensor.name, ShapeText(tensor)));
    }
  }
  if (problems.empty()) return Status::Ok();
  std::string message = problems.front();
  for (size_t i = 1; i < problems.size() && i < kProblemsShown; ++i) message += "; " + problems[i];
  if (problems.size() > kProblemsShown)
    message += fmt::format("; and {} more", problems.size() - kProblemsShown);
  return InvalidArgument(file.path().string() + ": " + message);
}

}  // namespace pingti::models
