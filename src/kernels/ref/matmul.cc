// The slow, obvious products: every type is unpacked to F32 when packed, activations stay F32, sums are double.
#include <cstring>

#include "kernels/fill.h"
#include "kernels/ref/dequantize.h"
#include "tensor/packed.h"

namespace pingti::kernels::ref {
namespace {

// A tile is [16 rows][cols] F32.
size_t TileBytes(int64_t cols) { return static_cast<size_t>(cols) * kTileRows * sizeof(float); }

template <DType kType>
void PackTile(const std::byte* rows, size_t row_bytes, int row_count, int64_t cols, uint8_t* tile) {
  std::memset(tile, 0, TileBytes(cols));
  auto* out = reinterpret_cast<float*>(tile);
  for (int r = 0; r < row_count; ++r) {
    Dequantize(kType, rows + static_cast<size_t>(r) * row_bytes, static_cast<size_t>(cols),
               out + r * cols);
  }
}

void Multiply(const ProductArgs& args) noexcept {
  const auto* weights = reinterpret_cast<const float*>(args.tiles);
  for (int64_t t = 0; t < args.columns; ++t) {
    for (int64_t r = 0; r < args.rows; ++r) {
      double sum = 0;
      for (int64_t k = 0; k < args.cols; ++k) {
        sum += static_cast<double>(weights[r * args.cols + k]) * args.x[t * args.x_stride + k];
      }
      if (args.maybe_bias != nullptr) sum += args.maybe_bias[r];
      float& out = args.out[t * args.out_stride + r];
      if (args.accumulate) sum += out;
      out = static_cast<float>(sum);
    }
  }
}

template <DType kType>
void Fill(MatMulKernels& kernels, const char* layout) {
  WeightKernels& weights = kernels.weights[static_cast<size_t>(kType)];
  weights = {};
  weights.layout = layout;
  weights.tile_bytes = TileBytes;
  weights.pack_tile = PackTile<kType>;
  weights.multiply_few = Multiply;
  weights.multiply_many = Multiply;
}

}  // namespace

void FillMatMul(MatMulKernels& kernels) {
  Fill<DType::kF32>(kernels, "ref.f32");
  Fill<DType::kF16>(kernels, "ref.f16");
  Fill<DType::kBF16>(kernels, "ref.bf16");
  Fill<DType::kQ4_0>(kernels, "ref.q4_0");
  Fill<DType::kQ4_1>(kernels, "ref.q4_1");
  Fill<DType::kQ5_0>(kernels, "ref.q5_0");
  Fill<DType::kQ5_1>(kernels, "ref.q5_1");
  Fill<DType::kQ8_0>(kernels, "ref.q8_0");
  Fill<DType::kQ2_K>(kernels, "ref.q2_k");
  Fill<DType::kQ3_K>(kernels, "ref.q3_k");
  Fill<DType::kQ4_K>(kernels, "ref.q4_k");
  Fill<DType::kQ5_K>(kernels, "ref.q5_k");
  Fill<DType::kQ6_K>(kernels, "ref.q6_k");
  Fill<DType::kIQ4_NL>(kernels, "ref.iq4_nl");
  Fill<DType::kIQ4_XS>(kernels, "ref.iq4_xs");
}

}  // namespace pingti::kernels::ref
