#include "ops/buffer.h"

#include "base/check.h"

namespace pingti::ops {
namespace {

constexpr int64_t kAlignBytes = 64;
constexpr int64_t kAlignFloats = kAlignBytes / static_cast<int64_t>(sizeof(float));

}  // namespace

Buffer Buffer::Create(Context& ctx, int64_t rows_max, int64_t cols) {
  static_cast<void>(ctx);  // the CPU's memory is the process's
  PT_CHECK(rows_max > 0 && cols > 0, "a buffer has rows and columns");
  Buffer buffer;
  buffer.rows_max_ = rows_max;
  buffer.cols_ = cols;
  buffer.stride_ = (cols + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
  buffer.data_ = AlignedBuffer(static_cast<size_t>(rows_max * buffer.stride_) * sizeof(float));
  return buffer;
}

Matrix Buffer::Rows(int64_t rows) const {
  PT_CHECK(rows <= rows_max_, "more rows than the buffer was made for");
  return {reinterpret_cast<float*>(data_.data()), rows, cols_, stride_};
}

}  // namespace pingti::ops
