#include "ops/bf16_tiles.h"

#include "base/check.h"
#include "tensor/packed.h"

namespace pingti::ops {

const uint16_t* ConvertToBf16Tiles(Context& ctx, Matrix x) {
  using kernels::kBf16TileColumns;
  using kernels::kBf16TileValues;
  PT_CHECK(x.rows <= kernels::kBf16ColumnsMax && x.cols % kGroup == 0, "shape of BF16 activations");
  const int64_t groups = (x.rows + kBf16TileColumns - 1) / kBf16TileColumns;
  const int64_t steps = x.cols / kGroup;
  auto* tiles = reinterpret_cast<uint16_t*>(
      ctx.scratch.Reserve(static_cast<size_t>(groups * steps * kBf16TileValues) * sizeof(uint16_t)));
  constexpr size_t kGrain = 16;
  ctx.pool.ForEach(static_cast<size_t>(x.rows), kGrain, [&](size_t begin, size_t end) {
    for (auto t = static_cast<int64_t>(begin); t < static_cast<int64_t>(end); ++t) {
      uint16_t* out = tiles + t / kBf16TileColumns * steps * kBf16TileValues + t % kBf16TileColumns * kGroup;
      const float* row = x.data + t * x.stride;
      for (int64_t step = 0; step < steps; ++step, row += kGroup, out += kBf16TileValues) {
        ctx.kernels.vector.f32_to_bf16(row, kGroup, out);
      }
    }
  });
  return tiles;
}

}  // namespace pingti::ops
