#include "ops/quantized_input.h"

#include <algorithm>

#include "base/check.h"
#include "tensor/packed.h"

namespace pingti::ops {
namespace {

using kernels::TermKind;
using kernels::TermSpec;

constexpr int64_t kBlockBytes = 768 << 10;  // of an L2 cache of 1 MiB or more
constexpr int64_t kBytesPerChunk =
    kChunk + kGroupsPerChunk * 4 + 2 * kGroupsPerChunk * 2 + 2 * kGroupsPerChunk * 4;

int64_t ChunksOf(int64_t cols) { return (cols + kChunk - 1) / kChunk; }

int64_t TermsPerChunk(TermSpec spec) {
  const bool sixteens = spec.kind == TermKind::kZero16 || spec.kind == TermKind::kMin16;
  return kGroupsPerChunk * (sixteens ? 2 : 1);
}

}  // namespace

int64_t QuantizedInput::BlockColumns(int64_t cols) {
  constexpr int64_t kColumnsMin = 32;
  return std::clamp(kBlockBytes / (ChunksOf(cols) * kBytesPerChunk), kColumnsMin,
                    kernels::kColumnsMax);
}

void QuantizedInput::Quantize(Context& ctx, Matrix x, std::span<const TermSpec> terms) {
  PT_CHECK(terms.size() <= kTermsMax, "kinds of terms in one Linear");
  columns_ = x.rows;
  chunks_ = ChunksOf(x.cols);
  term_count_ = terms.size();
  const int64_t blocks = chunks_ * columns_;
  size_t bytes = static_cast<size_t>(blocks * (kChunk + kGroupsPerChunk * 4 + 2 * kGroupsPerChunk * 2));
  for (const TermSpec& spec : terms) bytes += static_cast<size_t>(blocks * TermsPerChunk(spec) * 4);
  std::byte* next = ctx.scratch.Reserve(bytes);
  const auto take = [&next](int64_t count) {
    std::byte* taken = next;
    next += count;
    return taken;
  };
  codes_ = reinterpret_cast<int8_t*>(take(blocks * kChunk));
  scales_ = reinterpret_cast<float*>(take(blocks * kGroupsPerChunk * 4));
  sums_ = reinterpret_cast<int16_t*>(take(blocks * 2 * kGroupsPerChunk * 2));
  for (size_t i = 0; i < terms.size(); ++i) {
    specs_[i] = terms[i];
    terms_[i] = take(blocks * TermsPerChunk(terms[i]) * 4);
  }
  const kernels::MatMulKernels& kernels = ctx.kernels.matmul;
  constexpr size_t kGrain = 4;
  ctx.pool.ForEach(static_cast<size_t>(columns_), kGrain, [&](size_t begin, size_t end) {
    for (auto t = static_cast<int64_t>(begin); t < static_cast<int64_t>(end); ++t) {
      float* scales = scales_ + t * kGroupsPerChunk;
      int16_t* sums = sums_ + t * 2 * kGroupsPerChunk;
      kernels.quantize_column(x.data + t * x.stride, x.cols, columns_, codes_ + t * kChunk, scales,
                              sums);
      for (size_t i = 0; i < term_count_; ++i) {
        auto* out = static_cast<int32_t*>(terms_[i]) + t * TermsPerChunk(specs_[i]);
        kernels.make_terms(specs_[i], chunks_, columns_, sums, scales, out);
      }
    }
  });
}

kernels::QuantizedColumns QuantizedInput::Columns(TermSpec term) const {
  const auto* spec = std::find(specs_, specs_ + term_count_, term);
  PT_CHECK(spec != specs_ + term_count_, "terms were made for every weight type of the Linear");
  return {codes_, scales_, terms_[spec - specs_]};
}

}  // namespace pingti::ops
