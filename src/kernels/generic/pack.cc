// Packing is a transposition in small pieces: a row's codes of one group go to lane `row` of the group's vectors, and
// its scales to column `row` of the chunk's scale tables.
#include "kernels/generic/pack.h"

#include <cstring>

#include "kernels/ref/dequantize.h"
#include "tensor/packed.h"

namespace pingti::kernels {
namespace {

// One row of one chunk, decoded from the file's blocks into the terms of tensor/packed.h.
struct DecodedRow {
  uint8_t codes[kChunk];
  uint16_t d[kGroupsPerChunk];    // F16; [0] only where a chunk has one
  uint16_t m[kGroupsPerChunk];    // F16 minimum, or dmin in [0]
  uint8_t scales[kChunk / 16];    // integer scales (bits of an int8 where signed)
  uint8_t mins[kChunk / 16];
};

uint16_t ReadU16(const uint8_t* p) {
  uint16_t v = 0;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

void Nibbles16(const uint8_t* bytes, uint8_t* codes) {  // low nibbles: the first 16
  for (int i = 0; i < 16; ++i) {
    codes[i] = bytes[i] & 15;
    codes[i + 16] = bytes[i] >> 4;
  }
}

void FifthBits(const uint8_t* bytes, uint8_t* codes) {
  for (int i = 0; i < kGroup; ++i) {
    codes[i] = static_cast<uint8_t>(codes[i] | (((bytes[i / 8] >> (i % 8)) & 1) << 4));
  }
}

// Blocks of 32: d, then optional m, then optional fifth bits, then codes.
void DecodeLegacy(DType type, const uint8_t* block, int groups, DecodedRow& row) {
  const DTypeInfo& info = Info(type);
  const PackedFormat& format = kPackedFormats[static_cast<size_t>(type)];
  for (int g = 0; g < groups; ++g, block += info.block_bytes) {
    uint8_t* codes = row.codes + g * kGroup;
    const uint8_t* next = block + 2;
    row.d[g] = ReadU16(block);
    if (format.scales == PackedScales::kF16Min) {
      row.m[g] = ReadU16(next);
      next += 2;
    }
    if (format.low_bits == 8) {
      for (int i = 0; i < kGroup; ++i) codes[i] = next[i] ^ 0x80;  // int8 + 128
      continue;
    }
    Nibbles16(next + (format.high_bits == 1 ? 4 : 0), codes);
    if (format.high_bits == 1) FifthBits(next, codes);
  }
}

void DecodeQ2K(const uint8_t* b, DecodedRow& row) {
  for (int i = 0; i < kChunk; ++i) {
    row.codes[i] = (b[16 + 32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3;
  }
  for (int g = 0; g < 16; ++g) {
    row.scales[g] = b[g] & 15;
    row.mins[g] = b[g] >> 4;
  }
  row.d[0] = ReadU16(b + 80);
  row.m[0] = ReadU16(b + 82);
}

void DecodeQ3K(const uint8_t* b, DecodedRow& row) {
  for (int i = 0; i < kChunk; ++i) {
    const int low = (b[32 + 32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3;
    row.codes[i] = static_cast<uint8_t>(low | (((b[i % 32] >> (i / 32)) & 1) << 2));
  }
  for (int g = 0; g < 16; ++g) row.scales[g] = static_cast<uint8_t>(UnpackQ3Scale(b + 96, g));
  row.d[0] = ReadU16(b + 108);
}

// Q4_K, and Q5_K with `fifth_bits`.
void DecodeQ45K(const uint8_t* b, const uint8_t* nibbles, const uint8_t* maybe_fifth_bits,
                DecodedRow& row) {
  for (int pair = 0; pair < 4; ++pair) {
    uint8_t* codes = row.codes + 64 * pair;
    for (int i = 0; i < kGroup; ++i) {
      codes[i] = nibbles[32 * pair + i] & 15;
      codes[i + kGroup] = nibbles[32 * pair + i] >> 4;
    }
  }
  if (maybe_fifth_bits != nullptr) {
    for (int i = 0; i < kChunk; ++i) {
      const int bit = (maybe_fifth_bits[i % 32] >> (i / 32)) & 1;
      row.codes[i] = static_cast<uint8_t>(row.codes[i] | (bit << 4));
    }
  }
  for (int g = 0; g < 8; ++g) {
    const ScaleAndMin s = UnpackScaleAndMin(b + 4, g);
    row.scales[g] = s.scale;
    row.mins[g] = s.min;
  }
  row.d[0] = ReadU16(b);
  row.m[0] = ReadU16(b + 2);
}

void DecodeQ6K(const uint8_t* b, DecodedRow& row) {
  for (int i = 0; i < kChunk; ++i) {
    const int half = i / 128;
    const int j = i % 128;
    const uint8_t byte = b[64 * half + j % 64];
    const int low = j < 64 ? byte & 15 : byte >> 4;
    const int high = (b[128 + 32 * half + j % 32] >> (2 * (j / 32))) & 3;
    row.codes[i] = static_cast<uint8_t>(low | (high << 4));
  }
  std::memcpy(row.scales, b + 192, 16);
  row.d[0] = ReadU16(b + 208);
}

void DecodeIq4Xs(const uint8_t* b, DecodedRow& row) {
  const uint16_t high = ReadU16(b + 2);
  for (int g = 0; g < 8; ++g) {
    Nibbles16(b + 8 + 16 * g, row.codes + kGroup * g);
    const int low = (b[4 + g / 2] >> (4 * (g % 2))) & 15;
    row.scales[g] = static_cast<uint8_t>((low | (((high >> (2 * g)) & 3) << 4)) - 32);
  }
  row.d[0] = ReadU16(b);
}

void DecodeChunk(DType type, const uint8_t* blocks, int groups, DecodedRow& row) {
  switch (type) {
    case DType::kQ2_K: return DecodeQ2K(blocks, row);
    case DType::kQ3_K: return DecodeQ3K(blocks, row);
    case DType::kQ4_K: return DecodeQ45K(blocks, blocks + 16, nullptr, row);
    case DType::kQ5_K: return DecodeQ45K(blocks, blocks + 48, blocks + 16, row);
    case DType::kQ6_K: return DecodeQ6K(blocks, row);
    case DType::kIQ4_XS: return DecodeIq4Xs(blocks, row);
    default: return DecodeLegacy(type, blocks, groups, row);
  }
}

// Adds `bits` bits of each of a group's 32 codes, from bit `from` on, to lane `r` of a plane of vectors.
void PutPlane(const uint8_t* codes, int from, int bits, int r, uint8_t* plane) {
  const int mask = (1 << bits) - 1;
  for (int k = 0; k < kGroup; ++k) {
    const int value = (codes[k] >> from) & mask;
    const int quad = k / 4;
    // Which vector a quad is in, and at which bit: see tensor/packed.h.
    const int vector = bits == 8 ? quad : bits == 4 ? quad % 4 : bits == 2 ? quad / 4 : 0;
    const int shift = bits == 8 ? 0 : bits == 4 ? 4 * (quad / 4) : bits == 2 ? 2 * (quad % 4) : quad;
    uint8_t& byte = plane[vector * kVectorBytes + 4 * r + k % 4];
    byte = static_cast<uint8_t>(byte | (value << shift));
  }
}

void PutF16(uint8_t* table, int r, uint16_t value) { std::memcpy(table + 2 * r, &value, 2); }

void PutScales(PackedScales kind, const DecodedRow& row, int groups, int r, uint8_t* scales) {
  constexpr int kF16Row = 2 * kTileRows;
  switch (kind) {
    case PackedScales::kNone: break;
    case PackedScales::kF16:
      for (int g = 0; g < groups; ++g) PutF16(scales + g * kF16Row, r, row.d[g]);
      break;
    case PackedScales::kF16Min:
      for (int g = 0; g < groups; ++g) {
        PutF16(scales + 2 * g * kF16Row, r, row.d[g]);
        PutF16(scales + (2 * g + 1) * kF16Row, r, row.m[g]);
      }
      break;
    case PackedScales::kU8Min32:
      for (int g = 0; g < 8; ++g) {
        scales[g * kTileRows + r] = row.scales[g];
        scales[(8 + g) * kTileRows + r] = row.mins[g];
      }
      PutF16(scales + 16 * kTileRows, r, row.d[0]);
      PutF16(scales + 16 * kTileRows + kF16Row, r, row.m[0]);
      break;
    case PackedScales::kU4Min16:
      for (int g = 0; g < 16; ++g) {
        scales[g * kTileRows + r] = static_cast<uint8_t>(row.scales[g] | (row.mins[g] << 4));
      }
      PutF16(scales + 16 * kTileRows, r, row.d[0]);
      PutF16(scales + 16 * kTileRows + kF16Row, r, row.m[0]);
      break;
    case PackedScales::kS8By32:
    case PackedScales::kS8By16: {
      const int count = kind == PackedScales::kS8By32 ? 8 : 16;
      for (int g = 0; g < count; ++g) scales[g * kTileRows + r] = row.scales[g];
      PutF16(scales + count * kTileRows, r, row.d[0]);
      break;
    }
  }
}

template <DType kType>
void PackQuantized(const std::byte* rows, size_t row_bytes, int row_count, int64_t cols,
                   uint8_t* tile) {
  constexpr PackedFormat kFormat = kPackedFormats[static_cast<size_t>(kType)];
  std::memset(tile, 0, PackedTileBytes(kType, cols));
  DecodedRow decoded = {};
  uint8_t* chunk = tile;
  for (int64_t begin = 0; begin < cols; begin += kChunk) {
    const int64_t rest = (cols - begin) / kGroup;
    const int groups = rest < kGroupsPerChunk ? static_cast<int>(rest) : kGroupsPerChunk;
    const size_t offset = RowBytes(kType, static_cast<size_t>(begin));
    for (int r = 0; r < row_count; ++r) {
      const std::byte* row = rows + static_cast<size_t>(r) * row_bytes + offset;
      DecodeChunk(kType, reinterpret_cast<const uint8_t*>(row), groups, decoded);
      for (int g = 0; g < groups; ++g) {
        uint8_t* plane = chunk + g * kFormat.bits() * kVectorBytes;
        PutPlane(decoded.codes + g * kGroup, 0, kFormat.low_bits, r, plane);
        if constexpr (kFormat.high_bits > 0) {
          PutPlane(decoded.codes + g * kGroup, kFormat.low_bits, kFormat.high_bits, r,
                   plane + kFormat.low_bits * kVectorBytes);
        }
      }
      PutScales(kFormat.scales, decoded, groups, r,
                chunk + groups * kFormat.bits() * kVectorBytes);
    }
    chunk += PackedChunkBytes(kType, groups);
  }
}

// [cols][16 rows] of the file's own elements.
template <DType kType>
void PackFloats(const std::byte* rows, size_t row_bytes, int row_count, int64_t cols,
                uint8_t* tile) {
  const size_t size = Info(kType).block_bytes;
  std::memset(tile, 0, PackedTileBytes(kType, cols));
  for (int r = 0; r < row_count; ++r) {
    const std::byte* row = rows + static_cast<size_t>(r) * row_bytes;
    for (size_t k = 0; k < static_cast<size_t>(cols); ++k) {
      std::memcpy(tile + (k * kTileRows + static_cast<size_t>(r)) * size, row + k * size, size);
    }
  }
}

constexpr TermSpec TermOf(const PackedFormat& format) {
  switch (format.scales) {
    case PackedScales::kNone: return {TermKind::kNone, 0};
    case PackedScales::kF16:
    case PackedScales::kS8By32: return {TermKind::kZero32, format.zero};
    case PackedScales::kS8By16: return {TermKind::kZero16, format.zero};
    case PackedScales::kF16Min:
    case PackedScales::kU8Min32: return {TermKind::kMin32, 0};
    case PackedScales::kU4Min16: return {TermKind::kMin16, 0};
  }
  return {};
}

template <DType kType>
void Fill(MatMulKernels& kernels) {
  constexpr PackedFormat kFormat = kPackedFormats[static_cast<size_t>(kType)];
  WeightKernels& weights = kernels.weights[static_cast<size_t>(kType)];
  weights.layout = kFormat.name;
  weights.quantized_input = kFormat.bits() > 0;
  weights.term = TermOf(kFormat);
  weights.tile_bytes = [](int64_t cols) { return PackedTileBytes(kType, cols); };
  if constexpr (kFormat.bits() == 0) {
    weights.pack_tile = PackFloats<kType>;
  } else {
    weights.pack_tile = PackQuantized<kType>;
  }
}

}  // namespace

void FillPacking(MatMulKernels& kernels) {
  Fill<DType::kF32>(kernels);
  Fill<DType::kF16>(kernels);
  Fill<DType::kBF16>(kernels);
  Fill<DType::kQ4_0>(kernels);
  Fill<DType::kQ4_1>(kernels);
  Fill<DType::kQ5_0>(kernels);
  Fill<DType::kQ5_1>(kernels);
  Fill<DType::kQ8_0>(kernels);
  Fill<DType::kQ2_K>(kernels);
  Fill<DType::kQ3_K>(kernels);
  Fill<DType::kQ4_K>(kernels);
  Fill<DType::kQ5_K>(kernels);
  Fill<DType::kQ6_K>(kernels);
  Fill<DType::kIQ4_NL>(kernels);
  Fill<DType::kIQ4_XS>(kernels);
}

}  // namespace pingti::kernels
