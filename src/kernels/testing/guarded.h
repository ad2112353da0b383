// Guarded<T>: an array between guard bytes, at a chosen distance from alignment, so that a test sees a kernel that
// writes outside its arguments or needs an alignment that it was not promised. For tests only; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pingti::kernels::testing {

template <typename T>
class Guarded {
 public:
  // `count` values, `offset` values behind a 64-byte boundary.
  explicit Guarded(size_t count, size_t offset = 0)
      : bytes_(kAlignment + 2 * kGuardBytes + (offset + count) * sizeof(T), kGuard), count_(count) {
    const auto address = reinterpret_cast<uintptr_t>(bytes_.data()) + kGuardBytes;
    const uintptr_t aligned = (address + kAlignment - 1) / kAlignment * kAlignment;
    begin_ = aligned - reinterpret_cast<uintptr_t>(bytes_.data()) + offset * sizeof(T);
  }

  T* data() { return reinterpret_cast<T*>(bytes_.data() + begin_); }
  const T* data() const { return reinterpret_cast<const T*>(bytes_.data() + begin_); }
  size_t size() const { return count_; }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }

  // False where a byte before or behind the array was written.
  bool Intact() const {
    const size_t end = begin_ + count_ * sizeof(T);
    for (size_t i = 0; i < bytes_.size(); ++i) {
      if ((i < begin_ || i >= end) && bytes_[i] != kGuard) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kGuardBytes = 128;
  static constexpr uint8_t kGuard = 0xA5;
  std::vector<uint8_t> bytes_;
  size_t begin_ = 0;
  size_t count_;
};

}  // namespace pingti::kernels::testing
