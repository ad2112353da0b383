// Context: where an engine's maths runs. Models call ops with it and never look inside: a CUDA device would put
// its stream and its kernels here, and models/ and runtime/ would not change. One engine thread uses a Context at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/table.h"

namespace pingti::ops {

// Memory that one op uses while it runs; ops follow each other, so they share it. Grows to the largest wish.
class Scratch final {
 public:
  // `bytes` of undefined contents, aligned to 64; valid until the next call.
  std::byte* Reserve(size_t bytes);

 private:
  AlignedBuffer data_;
};

// How Attention is computed. kNaive materialises all scores: to measure the other beside it.
enum class AttentionKind : uint8_t { kFlash, kNaive };

struct RopeTable;  // the rotations of the batch at hand: elementwise.cc

struct Context {
  ThreadPool& pool;
  const kernels::KernelTable& kernels;
  Scratch scratch = {};
  AttentionKind attention = AttentionKind::kFlash;
  std::shared_ptr<RopeTable> maybe_rope_table = {};
};

// A matrix of activations, F32, row-major; borrowed. Its data belongs to the device: only ops dereference it.
struct Matrix {
  float* data = nullptr;
  int64_t rows = 0;    // tokens
  int64_t cols = 0;    // features
  int64_t stride = 0;  // floats from one row to the next, >= cols

  Matrix Cols(int64_t begin, int64_t count) const { return {data + begin, rows, count, stride}; }
  Matrix Rows(int64_t begin, int64_t count) const {
    return {data + begin * stride, count, cols, stride};
  }
};

}  // namespace pingti::ops
