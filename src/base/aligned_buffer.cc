#include "base/aligned_buffer.h"

#include <sys/mman.h>

#include "base/check.h"

namespace pingti {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  PT_CHECK(data != MAP_FAILED, "out of memory");
  if (bytes >= kHugePage) ::madvise(data, bytes, MADV_HUGEPAGE);  // a refusal costs speed only
  data_ = static_cast<std::byte*>(data);
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

void AlignedBuffer::Reserve(size_t bytes) {
  if (bytes > bytes_) *this = AlignedBuffer(bytes);
}

}  // namespace pingti
