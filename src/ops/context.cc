#include "ops/context.h"

#include <new>

#include "base/check.h"

namespace pingti::ops {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kScratchBytesMax = size_t{16} << 30;  // beyond it some op's arithmetic is wrong

}  // namespace

void Scratch::Free::operator()(std::byte* data) const {
  ::operator delete(data, std::align_val_t{kAlignment});
}

std::byte* Scratch::Reserve(size_t bytes) {
  PT_CHECK(bytes <= kScratchBytesMax, "an op asks for more scratch memory than any op needs");
  if (bytes > bytes_) {
    data_.reset();
    data_.reset(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{kAlignment})));
    bytes_ = bytes;
  }
  return data_.get();
}

}  // namespace pingti::ops
