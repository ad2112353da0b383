// GgufWriter: writes small GGUF files for tests, right or deliberately wrong ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace pingti::formats::testing {

class GgufWriter final {
 public:
  uint32_t version = 3;
  uint64_t alignment =
      32;  // of the tensor data; also written as general.alignment where it is not 32
  int64_t extra_tensor_count = 0;  // added to the counts in the header, to lie about them
  int64_t extra_entry_count = 0;

  template <typename T>
  GgufWriter& Add(std::string_view key, T value) {
    static_assert(std::is_arithmetic_v<T>);
    Key(key, TypeId<T>());
    Put(entries_, value);
    return *this;
  }
  GgufWriter& AddString(std::string_view key, std::string_view value) {
    Key(key, kString);
    PutString(entries_, value);
    return *this;
  }
  GgufWriter& AddStrings(std::string_view key, const std::vector<std::string>& values) {
    ArrayKey(key, kString, values.size());
    for (const std::string& value : values) PutString(entries_, value);
    return *this;
  }
  template <typename T>
  GgufWriter& AddArray(std::string_view key, const std::vector<T>& values) {
    ArrayKey(key, TypeId<T>(), values.size());
    for (const T value : values) Put(entries_, value);
    return *this;
  }
  // Any bytes as a key's type and value.
  GgufWriter& AddRaw(std::string_view key, uint32_t type, std::string_view value) {
    Key(key, type);
    entries_ += value;
    return *this;
  }

  // `dims` as GGUF orders them (contiguous first), `type` its number there; the data follows the
  // others'.
  GgufWriter& AddTensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type,
                        std::string_view data) {
    const uint64_t offset = data_.size();
    data_ += data;
    data_.resize((data_.size() + alignment - 1) / alignment * alignment, '\0');
    return AddTensorEntry(name, dims, type, offset);
  }
  GgufWriter& AddF32(std::string_view name, const std::vector<uint64_t>& dims,
                     std::span<const float> values) {
    return AddTensor(name, dims, 0,
                     {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }
  // An entry of the directory alone, with an offset of one's own.
  GgufWriter& AddTensorEntry(std::string_view name, const std::vector<uint64_t>& dims,
                             uint32_t type, uint64_t offset) {
    PutString(tensors_, name);
    Put(tensors_, static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) Put(tensors_, dim);
    Put(tensors_, type);
    Put(tensors_, offset);
    ++tensor_count_;
    return *this;
  }
  GgufWriter& AddData(std::string_view data) {
    data_ += data;
    return *this;
  }

  std::string Bytes() {
    if (alignment != 32 && !alignment_written_)
      Add("general.alignment", static_cast<uint32_t>(alignment));
    alignment_written_ = alignment != 32;
    std::string file = "GGUF";
    Put(file, version);
    Put(file, tensor_count_ + static_cast<uint64_t>(extra_tensor_count));
    Put(file, entry_count_ + static_cast<uint64_t>(extra_entry_count));
    file += entries_;
    file += tensors_;
    if (!data_.empty()) file.resize((file.size() + alignment - 1) / alignment * alignment, '\0');
    return file + data_;
  }

 private:
  static constexpr uint32_t kString = 8;
  static constexpr uint32_t kArray = 9;

  template <typename T>
  static constexpr uint32_t TypeId() {
    if constexpr (std::is_same_v<T, uint8_t>) return 0;
    if constexpr (std::is_same_v<T, int8_t>) return 1;
    if constexpr (std::is_same_v<T, uint16_t>) return 2;
    if constexpr (std::is_same_v<T, int16_t>) return 3;
    if constexpr (std::is_same_v<T, uint32_t>) return 4;
    if constexpr (std::is_same_v<T, int32_t>) return 5;
    if constexpr (std::is_same_v<T, float>) return 6;
    if constexpr (std::is_same_v<T, bool>) return 7;
    if constexpr (std::is_same_v<T, uint64_t>) return 10;
    if constexpr (std::is_same_v<T, int64_t>) return 11;
    if constexpr (std::is_same_v<T, double>) return 12;
  }

  template <typename T>
  static void Put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  static void PutString(std::string& out, std::string_view text) {
    Put(out, static_cast<uint64_t>(text.size()));
    out += text;
  }
  void Key(std::string_view key, uint32_t type) {
    PutString(entries_, key);
    Put(entries_, type);
    ++entry_count_;
  }
  void ArrayKey(std::string_view key, uint32_t element, size_t count) {
    Key(key, kArray);
    Put(entries_, element);
    Put(entries_, static_cast<uint64_t>(count));
  }

  std::string entries_;
  std::string tensors_;
  std::string data_;
  uint64_t entry_count_ = 0;
  uint64_t tensor_count_ = 0;
  bool alignment_written_ = false;
};

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace pingti::formats::testing
