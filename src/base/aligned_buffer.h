// AlignedBuffer: bytes for big arrays: page-aligned, zeroed, backed by huge pages where the kernel gives them.
// Owns its memory; movable; not thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace pingti {

class AlignedBuffer final {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes);  // aborts where the machine has no memory left
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~AlignedBuffer();

  std::byte* data() const { return data_; }
  size_t size() const { return bytes_; }
  std::span<std::byte> span() const { return {data_, bytes_}; }

  // Makes it at least this large; the contents are lost where it grows.
  void Reserve(size_t bytes);

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace pingti
