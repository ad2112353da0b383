// ByteReader: a cursor over bytes that nobody has checked yet. Every read is compared with the
// bytes left first; an error names the field that was being read and its offset in the file.
// Little-endian. Borrows its bytes; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace pingti::formats {

class ByteReader final {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t offset() const { return offset_; }
  size_t left() const { return bytes_.size() - offset_; }

  // A number; `field` says what it is, for the error.
  template <typename T>
  Result<T> Read(std::string_view field) {
    static_assert(std::is_arithmetic_v<T>);
    PT_ASSIGN(const std::span<const std::byte> bytes, Take(sizeof(T), field));
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }

  // The next `count` bytes.
  Result<std::span<const std::byte>> Take(uint64_t count, std::string_view field) {
    if (count > left()) {
      return DataLoss(std::string(field) + " at offset " + std::to_string(offset_) + " needs " +
                          std::to_string(count) + " bytes, the file has " + std::to_string(left()) +
                          " left",
                      std::string(field));
    }
    const std::span<const std::byte> taken = bytes_.subspan(offset_, static_cast<size_t>(count));
    offset_ += taken.size();
    return taken;
  }

  // GGUF's string: u64 length, then that many bytes. Borrowed from the file.
  Result<std::string_view> ReadString(std::string_view field) {
    PT_ASSIGN(const uint64_t length, Read<uint64_t>(field));
    PT_ASSIGN(const std::span<const std::byte> bytes, Take(length, field));
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

 private:
  std::span<const std::byte> bytes_;
  size_t offset_ = 0;
};

}  // namespace pingti::formats
