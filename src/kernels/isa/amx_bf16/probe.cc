#include <immintrin.h>

#include <cstdint>

#include "kernels/fill.h"

namespace pingti::kernels::amx_bf16 {
namespace {

#include "kernels/isa/amx_bf16/tiles.inl"

constexpr int kTiles = 4;                // of sums: products that do not wait for each other
constexpr int kProducts = 16 * 16 * 32;  // in one of tiles

float ProbeTiles(int64_t rounds) noexcept {
  const TileConfig config;
  alignas(64) uint16_t ones[16][32];
  alignas(64) uint16_t minus_ones[16][32];
  alignas(64) float sums[16][16];
  for (int i = 0; i < 16 * 32; ++i) {
    ones[i / 32][i % 32] = 0x3F80;
    minus_ones[i / 32][i % 32] = 0xBF80;
  }
  MemoryBarrier();
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, ones, kTileStride);
  _tile_loadd(5, minus_ones, kTileStride);
  for (int64_t round = 0; round < rounds; ++round) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  float sum = 0;
  const auto add = [&] {
    MemoryBarrier();
    for (const auto& row : sums) {
      for (const float value : row) sum += value;
    }
  };
  _tile_stored(0, sums, kTileStride);
  add();
  _tile_stored(1, sums, kTileStride);
  add();
  _tile_stored(2, sums, kTileStride);
  add();
  _tile_stored(3, sums, kTileStride);
  add();
  _tile_release();
  return sum;
}

}  // namespace

void FillProbe(ProbeKernels& kernels) {
  kernels.dot_bf16 = ProbeTiles;
  kernels.bf16_flops_per_round = int64_t{kTiles} * kProducts * 2;
}

}  // namespace pingti::kernels::amx_bf16
