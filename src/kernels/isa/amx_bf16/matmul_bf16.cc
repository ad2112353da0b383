// Products of quantised weights as BF16 on AMX tiles: prompts.
//
// A block is some tiles of weights. A piece of it, kPieceSteps steps long, is unpacked to BF16 tiles; then all columns pass
// over it, two groups of 16 columns against two weight tiles at a time: four tiles of sums, each loaded tile used twice.
// Either all inputs stay in the L2 cache and a piece of two tiles in L1, or, with more inputs, a piece of eight tiles stays
// in L2 and the inputs of two groups in L1 while the block passes them.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/fill.h"
#include "tensor/packed.h"

namespace pingti::kernels::amx_bf16 {
namespace {

#include "kernels/generic/matmul_common.inl"
#include "kernels/isa/avx512/matmul_vec.inl"
#include "kernels/generic/matmul_codes.inl"
#include "kernels/generic/matmul_store.inl"
#include "kernels/isa/amx_bf16/tiles.inl"

inline constexpr int kBlockTilesMax = 8;  // of 16 outputs
inline constexpr int kPieceSteps = 16;  // of 32 inputs
inline constexpr int kTileFloats = 16 * 16;
inline constexpr int kColumnsAhead = 4;  // of outputs, whose lines are fetched before they are written

// A step of one tile of weights as the matrix unit multiplies it: row p holds inputs 2p and 2p + 1 of each output.
struct alignas(64) WeightStep {
  uint16_t pairs[kGroup / 2][2 * kTileRows];
};
// [tile / 2][step][tile % 2]
using WeightPiece = WeightStep[kBlockTilesMax / 2][kPieceSteps][2];

PT_INLINE void PrefetchToWrite(const void* p) { __builtin_prefetch(p, 1); }

// scale * code + min of byte `kByte` of each row's quad.
template <int kByte>
PT_INLINE F32 WeightsOf(Codes quad, F32 scale, F32 min) {
  const __m512i shifted = _mm512_srli_epi32(quad, 8 * kByte);
  const __m512i code = kByte == 3 ? shifted : _mm512_and_si512(shifted, _mm512_set1_epi32(255));
  return Fma(ToF32(code), scale, min);
}

// BF16 of a and b, lane by lane in turn.
PT_INLINE __m512i Pairs(F32 a, F32 b) {
  const __m512i halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(b, a));
  const __m512i turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5,
                                         20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(turns, halves);
}

template <DType kType>
PT_INLINE void UnpackStep(const uint8_t* group, const GroupScales& s, WeightStep& out) {
  using T = Traits<kType>;
  Codes quads[8];
  LoadGroup<kType>(group, 0, quads);
  F32 min[2];
  for (int i = 0; i < T::kScalesPerGroup; ++i) {
    min[i] = T::kMinimums ? s.min[i] : Mul(s.scale[i], SplatF32(-static_cast<float>(T::kFormat.zero)));
  }
  for (int q = 0; q < 8; ++q) {
    const int i = q * T::kScalesPerGroup / 8;
    const F32 w0 = WeightsOf<0>(quads[q], s.scale[i], min[i]);
    const F32 w1 = WeightsOf<1>(quads[q], s.scale[i], min[i]);
    const F32 w2 = WeightsOf<2>(quads[q], s.scale[i], min[i]);
    const F32 w3 = WeightsOf<3>(quads[q], s.scale[i], min[i]);
    _mm512_store_si512(out.pairs[2 * q], Pairs(w0, w1));
    _mm512_store_si512(out.pairs[2 * q + 1], Pairs(w2, w3));
  }
}

// Steps [begin, end) of one tile; out[2 * i] is step begin + i. Meanwhile fetches what is unpacked next, which lies
// `next` bytes further.
template <DType kType>
void UnpackTile(const uint8_t* tile, int64_t next, int64_t cols, int64_t begin, int64_t end, WeightStep* out) noexcept {
  using T = Traits<kType>;
  for (int64_t step = begin; step < end;) {
    const int64_t chunk = step / kGroupsPerChunk;
    const int64_t groups_left = cols / kGroup - chunk * kGroupsPerChunk;
    const int groups = static_cast<int>(groups_left < kGroupsPerChunk ? groups_left : kGroupsPerChunk);
    const uint8_t* codes = tile + static_cast<size_t>(chunk) * T::kChunkBytes;
    const uint8_t* scales = codes + groups * T::kGroupBytes;
    const SuperScales super = LoadSuperScales<kType>(scales, 0);
    for (size_t i = 0; i < T::kScaleBytes; i += 64) Prefetch(scales + i + next);
    for (int g = 0; g < groups; ++g, ++step, out += 2) {
      for (int i = 0; i < T::kGroupBytes; i += 64) Prefetch(codes + g * T::kGroupBytes + i + next);
      UnpackStep<kType>(codes + g * T::kGroupBytes, LoadScales<kType>(scales, super, g, 0), *out);
    }
  }
}

// Tiles 0 to 3 are sums, 4 and 5 inputs, 6 and 7 weights.
// sums [2 groups of columns][2 tiles of weights] (+)= inputs x weights over `steps` steps. A group of inputs follows the
// other after `group_step` values, its sums after `sums_step`. What the L1 cache does not hold anyway is loaded past it:
// the inputs of small blocks, the weights of large ones.
template <int kGroups, bool kSmall>
PT_INLINE void MultiplyTiles(const uint16_t* x, int64_t group_step, const WeightStep (*weights)[2], int steps, bool first,
                             float* sums, int64_t sums_step) {
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (kGroups == 2) {
      _tile_zero(2);
      _tile_zero(3);
    }
  } else {
    _tile_loadd(0, sums, kTileStride);
    _tile_loadd(1, sums + kTileFloats, kTileStride);
    if constexpr (kGroups == 2) {
      _tile_loadd(2, sums + sums_step, kTileStride);
      _tile_loadd(3, sums + sums_step + kTileFloats, kTileStride);
    }
  }
  for (int step = 0; step < steps; ++step, x += kBf16TileValues) {
    if constexpr (kSmall) {
      _tile_stream_loadd(4, x, kTileStride);
      if constexpr (kGroups == 2) _tile_stream_loadd(5, x + group_step, kTileStride);
      _tile_loadd(6, &weights[step][0], kTileStride);
      _tile_loadd(7, &weights[step][1], kTileStride);
    } else {
      _tile_loadd(4, x, kTileStride);
      if constexpr (kGroups == 2) _tile_loadd(5, x + group_step, kTileStride);
      _tile_stream_loadd(6, &weights[step][0], kTileStride);
      _tile_stream_loadd(7, &weights[step][1], kTileStride);
    }
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (kGroups == 2) {
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, sums, kTileStride);
  _tile_stored(1, sums + kTileFloats, kTileStride);
  if constexpr (kGroups == 2) {
    _tile_stored(2, sums + sums_step, kTileStride);
    _tile_stored(3, sums + sums_step + kTileFloats, kTileStride);
  }
}

// All columns times steps [begin, begin + steps) of a block of `block` tiles. sums [groups of columns][block] of 16 x 16.
template <bool kSmall>
void MultiplyPiece(const ProductArgs& args, const WeightPiece& weights, int block, int64_t begin, int steps,
                   float* sums) noexcept {
  const int64_t groups = (args.columns + kBf16TileColumns - 1) / kBf16TileColumns;
  const int64_t group_step = args.cols / kGroup * kBf16TileValues;
  const int64_t sums_step = int64_t{block} * kTileFloats;
  const uint16_t* x = args.bf16 + begin * kBf16TileValues;
  MemoryBarrier();
  for (int64_t group = 0; group < groups; group += 2, x += 2 * group_step, sums += 2 * sums_step) {
    for (int pair = 0; pair < block / 2; ++pair) {
      float* out = sums + 2 * pair * kTileFloats;
      if (group + 1 < groups) {
        MultiplyTiles<2, kSmall>(x, group_step, weights[pair], steps, begin == 0, out, sums_step);
      } else {
        MultiplyTiles<1, kSmall>(x, group_step, weights[pair], steps, begin == 0, out, sums_step);
      }
    }
  }
  MemoryBarrier();
}

using UnpackFunction = void (*)(const uint8_t* tile, int64_t next, int64_t cols, int64_t begin, int64_t end,
                                WeightStep* out) noexcept;

// The sums of tiles [first, first + count) go to the outputs.
void StoreBlock(const ProductArgs& args, int64_t first, int count, int block, const float* sums) noexcept {
  const float* ahead = args.out + first * kTileRows + kColumnsAhead * args.out_stride;
  for (int64_t c = 0; c < args.columns; ++c, ahead += args.out_stride) {
    for (int t = 0; t < count && c + kColumnsAhead < args.columns; ++t) PrefetchToWrite(ahead + t * kTileRows);
    const float* column = sums + c / kBf16TileColumns * block * kTileFloats + c % kBf16TileColumns * kTileRows;
    for (int t = 0; t < count; ++t) StoreSums(args, (first + t) * kTileRows, c, column + t * kTileFloats);
  }
}

void MultiplyBlocks(const ProductArgs& args, UnpackFunction unpack, int64_t tile_bytes, int64_t piece_bytes) noexcept {
  alignas(64) float sums[kBf16ColumnsMax / kBf16TileColumns * kBlockTilesMax * kTileFloats];  // 256 KiB
  WeightPiece weights;                                                                        // 128 KiB
  const int64_t tiles = (args.rows + kTileRows - 1) / kTileRows;
  const int64_t steps = args.cols / kGroup;
  const bool small = args.columns * args.cols <= kBf16CachedInputs;
  const int most = small ? 2 : kBlockTilesMax;
  for (int64_t first = 0; first < tiles; first += most) {
    const int count = static_cast<int>(tiles - first < most ? tiles - first : most);
    const int block = (count + 1) / 2 * 2;
    for (int64_t begin = 0; begin < steps; begin += kPieceSteps) {
      const int64_t end = begin + kPieceSteps < steps ? begin + kPieceSteps : steps;
      for (int t = 0; t < block; ++t) {
        const int64_t tile = first + (t < count ? t : count - 1);  // an odd one stands in for the missing one
        const int64_t next = t + 1 < count ? tile_bytes : piece_bytes - (count - 1) * tile_bytes;
        unpack(args.tiles + tile * tile_bytes, next, args.cols, begin, end, &weights[t / 2][0][t % 2]);
      }
      const auto multiply = small ? MultiplyPiece<true> : MultiplyPiece<false>;
      multiply(args, weights, block, begin, static_cast<int>(end - begin), sums);
    }
    StoreBlock(args, first, count, block, sums);
  }
}

template <DType kType>
void MultiplyBf16(const ProductArgs& args) noexcept {
  const TileConfig config;
  _tile_loadconfig(&config);
  MultiplyBlocks(args, UnpackTile<kType>, static_cast<int64_t>(PackedTileBytes(kType, args.cols)),
                 kPieceSteps / kGroupsPerChunk * static_cast<int64_t>(Traits<kType>::kChunkBytes));
  _tile_release();
}

template <DType... kTypes>
void Fill(MatMulKernels& kernels, TypeList<kTypes...>) {
  ((kernels.weights[static_cast<int>(kTypes)].multiply_bf16 = MultiplyBf16<kTypes>), ...);
}

}  // namespace

void FillMatMulBf16(MatMulKernels& kernels) { Fill(kernels, QuantizedTypes()); }

}  // namespace pingti::kernels::amx_bf16
