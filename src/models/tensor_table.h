// TensorTable: the tensors that a family expects in its file, by name and shape. A family fills it
// from its config and checks the file against it once, before a byte of weights is read; the error
// lists what is missing, misshapen or unknown. Used by one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/model_file.h"

namespace pingti::models {

class TensorTable final {
 public:
  // A matrix [rows, cols] (y = W x), or with rows == 1 a vector [cols].
  struct Shape {
    int64_t rows = 1;
    int64_t cols = 0;
  };

  void Required(std::string name, Shape shape) { Add(std::move(name), shape, Use::kRequired); }
  void Optional(std::string name, Shape shape) { Add(std::move(name), shape, Use::kOptional); }
  // Known and not needed.
  void Ignored(std::string name) { Add(std::move(name), {}, Use::kIgnored); }

  // A tensor of the file that the table does not know is an error, too: a model would be computed
  // without it.
  Status Check(const formats::ModelFile& file) const;

 private:
  enum class Use : uint8_t { kRequired, kOptional, kIgnored };
  struct Entry {
    Shape shape;
    Use use;
  };
  void Add(std::string name, Shape shape, Use use) {
    entries_.insert_or_assign(std::move(name), Entry{shape, use});
  }

  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace pingti::models
