#include "ops/context.h"

#include "base/check.h"

namespace pingti::ops {
namespace {

constexpr size_t kScratchBytesMax = size_t{16} << 30;  // beyond it some op's arithmetic is wrong

}  // namespace

std::byte* Scratch::Reserve(size_t bytes) {
  PT_CHECK(bytes <= kScratchBytesMax, "an op asks for more scratch memory than any op needs");
  if (bytes > data_.size()) {
    data_ = {};  // the old one first: both are never needed
    data_ = AlignedBuffer(bytes);
  }
  return data_.data();
}

}  // namespace pingti::ops
