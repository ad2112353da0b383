// ModelFile: a model as it lies on disk (GGUF, later safetensors folders), whatever the format: metadata by GGUF's
// key names and tensors by GGUF's tensor names. Immutable after opening; reading is thread-safe. Tensor bytes
// borrow from the file and live as long as it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/tensor_view.h"

namespace pingti::formats {

class ModelFile {
 public:
  virtual ~ModelFile() = default;

  // Metadata. A missing key is nullopt; a key of another type is an error naming the key, the wanted and the
  // found type. Integers of any width and sign convert where the value fits.
  virtual Result<std::optional<std::string>> String(std::string_view key) const = 0;
  virtual Result<std::optional<int64_t>> Int(std::string_view key) const = 0;
  virtual Result<std::optional<double>> Float(std::string_view key) const = 0;
  virtual Result<std::optional<bool>> Bool(std::string_view key) const = 0;
  virtual Result<std::optional<std::vector<std::string>>> Strings(std::string_view key) const = 0;
  virtual Result<std::optional<std::vector<int64_t>>> Ints(std::string_view key) const = 0;
  virtual Result<std::optional<std::vector<float>>> Floats(std::string_view key) const = 0;

  // nullptr where the file has none of that name.
  virtual const TensorView* FindTensor(std::string_view name) const = 0;
  virtual const std::vector<TensorView>& tensors() const = 0;

  virtual const std::filesystem::path& path() const = 0;
  // Hex SHA-256 over the metadata and tensor directory plus each file's size and modification time: names the
  // repacked copy on disk; cheap (does not read the weights).
  virtual std::string Fingerprint() const = 0;
};

// Opens FILE.gguf (also the first of a split set) or a folder that holds one. NotFound says what was looked for.
Result<std::unique_ptr<ModelFile>> OpenModelFile(const std::filesystem::path& path);

}  // namespace pingti::formats
