// Linear: y = W x (+ b) with the weights in the layout that the kernels want, made once from the file's tensors.
//
// A Linear may join several tensors that read the same input (q, k and v; gate and up): its outputs are their rows one
// after the other, computed in one parallel region. Immutable after Pack; Apply is called from the engine's thread.
// Every output element is summed in an order that does not depend on the number of tokens: a token's bits are the
// same alone, in a batch and in a chunk of a prompt. A prompt's rows may have other bits than an answer's, though: where
// the CPU has a matrix unit, they take it (BF16), while an answer's rows read 8-bit activations at every level.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ops/context.h"
#include "tensor/tensor_view.h"

namespace pingti::ops {

class Linear final {
 public:
  Linear();
  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;
  ~Linear();

  struct Source {
    const TensorView* weight = nullptr;        // [rows, cols], any DType
    const TensorView* maybe_bias = nullptr;    // [rows], F32 or F16
  };
  // What Pack would make of `sources`, and whether they fit together (same cols, biases of their rows), without doing it.
  struct PackPlan {
    std::string layout;  // a repacked copy is valid for the same layout and size only
    size_t bytes = 0;
  };
  static Result<PackPlan> Plan(Context& ctx, std::span<const Source> sources);
  // Repacks `sources` for ctx's kernels, on all workers of the pool. The packed bytes either live in memory of our own
  // or borrow from `packed` where a repacked copy of Plan's layout and size is given (64-byte aligned, outlives this).
  static Result<Linear> Pack(Context& ctx, std::span<const Source> sources,
                             std::span<const std::byte> packed = {});

  int64_t in() const;
  int64_t out() const;
  // Bytes of weights that one token reads.
  size_t weight_bytes() const;
  // The packed weights, to be kept on disk, and the name of their layout ("q4k.r16").
  std::span<const std::byte> packed() const;
  std::string layout() const;

  // A prompt's rows have bits of their own.
  bool has_prompt_path() const;

  // out[t, :] = W x[t, :] + b, or += where `accumulate`. x.cols == in(), out.cols == this->out(). Rows from prompt_begin on
  // are of prompts.
  void Apply(Context& ctx, Matrix x, Matrix out, int64_t prompt_begin, bool accumulate = false) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Token embedding: rows of a table in the file's own type, looked up and dequantised; nothing is repacked.
void Embed(Context& ctx, const TensorView& table, std::span<const int32_t> tokens, Matrix out);

}  // namespace pingti::ops
