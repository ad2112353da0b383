#include <immintrin.h>

#include <cstdint>

#include "kernels/fill.h"

namespace pingti::kernels::amx_bf16 {
namespace {

constexpr int kTiles = 4;             // of sums: products that do not wait for each other
constexpr int kProducts = 16 * 16 * 32;  // in one of tiles

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16};
};

float ProbeTiles(int64_t rounds) noexcept {
  const TileConfig config;
  alignas(64) uint16_t ones[16][32];
  alignas(64) uint16_t minus_ones[16][32];
  alignas(64) float sums[16][16];
  for (int i = 0; i < 16 * 32; ++i) {
    ones[i / 32][i % 32] = 0x3F80;
    minus_ones[i / 32][i % 32] = 0xBF80;
  }
  asm volatile("" ::: "memory");  // GCC does not know that tile instructions read memory
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, ones, 64);
  _tile_loadd(5, minus_ones, 64);
  for (int64_t round = 0; round < rounds; ++round) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  float sum = 0;
  const auto add = [&] {
    asm volatile("" ::: "memory");
    for (const auto& row : sums) {
      for (const float value : row) sum += value;
    }
  };
  _tile_stored(0, sums, 64);
  add();
  _tile_stored(1, sums, 64);
  add();
  _tile_stored(2, sums, 64);
  add();
  _tile_stored(3, sums, 64);
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
