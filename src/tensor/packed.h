// Packed weight layouts: how matrices lie in memory for the matrix products (kernels/matmul.h). Data only: plain
// constants that per-ISA files may read at compile time.
//
// A matrix [rows, cols] is cut into tiles of kTileRows rows; a tile is cut along the inputs into chunks of kChunk values
// (the last may be shorter: a multiple of kGroup). A chunk holds all codes of its 16 rows, group after group, then
// their scales, and is padded to kPackedAlign bytes. Missing rows of the last tile are zeros.
//
// Codes are unsigned; the type's zero point turns them into the file's signed values. A group of 32 inputs is 8 quads
// of 4 consecutive inputs; a "vector" is 64 bytes, byte 4 * row + j belonging to input j of a quad, so that one 32-bit
// lane is one row: what vpdpbusd (and TDPBSUD) multiply with a broadcast quad of activations.
//   8-bit codes: vector q is quad q.
//   4-bit codes: vector v holds quad v in its low nibbles and quad v + 4 in its high ones (v = 0..3).
//   2-bit codes: vector v holds quads 4v + i in bits 2i, 2i+1 (v = 0, 1; i = 0..3).
//   A high plane follows the group's low plane: 1 bit: one vector, bit q is quad q; 2 bits: as 2-bit codes.
// Types of F32, F16 and BF16 have no codes: a tile is [cols][16 rows] in the file's own type.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace pingti {

inline constexpr int kTileRows = 16;     // outputs interleaved in a tile
inline constexpr int kChunk = 256;       // inputs in a chunk
inline constexpr int kGroup = 32;        // inputs that share an activation scale
inline constexpr int kGroupsPerChunk = kChunk / kGroup;
inline constexpr int kVectorBytes = 64;  // 16 rows x 4 inputs x 1 byte
inline constexpr size_t kPackedAlign = 64;

// What follows the codes of a chunk of G groups. "[g][16]": 16 rows each.
enum class PackedScales : uint8_t {
  kNone,
  kF16,        // F16 d [G][16].                                           w = d * (code - zero)
  kF16Min,     // F16 { d [16], m [16] } [G].                              w = d * code + m
  kU8Min32,    // u8 scale [8][16], u8 min [8][16], F16 d [16], dmin [16].  w = d * scale * code - dmin * min
  kU4Min16,    // u8 (scale | min << 4) [16][16], F16 d [16], dmin [16].    the same, groups of 16
  kS8By32,     // s8 scale [8][16], F16 d [16].                            w = d * scale * (code - zero)
  kS8By16,     // s8 scale [16][16], F16 d [16].                           the same, groups of 16
};

struct PackedFormat {
  const char* name;  // of the layout; a repacked copy on disk is valid for the same name
  int low_bits;      // 0: floats
  int high_bits;
  PackedScales scales;
  int zero;          // the code that means zero, where scales have no minimum
  bool lookup;       // codes are indices of the IQ4 table, whose values + zero are multiplied

  constexpr int bits() const { return low_bits + high_bits; }
};

// By DType. Used in constant expressions only where flags are per ISA.
inline constexpr PackedFormat kPackedFormats[kDTypeCount] = {
    {"f32.r16.1", 0, 0, PackedScales::kNone, 0, false},
    {"f16.r16.1", 0, 0, PackedScales::kNone, 0, false},
    {"bf16.r16.1", 0, 0, PackedScales::kNone, 0, false},
    {"q4_0.r16.1", 4, 0, PackedScales::kF16, 8, false},
    {"q4_1.r16.1", 4, 0, PackedScales::kF16Min, 0, false},
    {"q5_0.r16.1", 4, 1, PackedScales::kF16, 16, false},
    {"q5_1.r16.1", 4, 1, PackedScales::kF16Min, 0, false},
    {"q8_0.r16.1", 8, 0, PackedScales::kF16, 128, false},
    {"q2_k.r16.1", 2, 0, PackedScales::kU4Min16, 0, false},
    {"q3_k.r16.1", 2, 1, PackedScales::kS8By16, 4, false},
    {"q4_k.r16.1", 4, 0, PackedScales::kU8Min32, 0, false},
    {"q5_k.r16.1", 4, 1, PackedScales::kU8Min32, 0, false},
    {"q6_k.r16.1", 4, 2, PackedScales::kS8By16, 32, false},
    {"iq4_nl.r16.1", 4, 0, PackedScales::kF16, 128, true},
    {"iq4_xs.r16.1", 4, 0, PackedScales::kS8By32, 128, true},
};

// Bytes of a chunk of `groups` groups of a quantised type, and of a tile of `cols` inputs of any type.
size_t PackedChunkBytes(DType type, int groups) noexcept;
size_t PackedTileBytes(DType type, int64_t cols) noexcept;

}  // namespace pingti
