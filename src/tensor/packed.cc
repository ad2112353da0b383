#include "tensor/packed.h"

namespace pingti {
namespace {

size_t AlignUp(size_t bytes) { return (bytes + kPackedAlign - 1) / kPackedAlign * kPackedAlign; }

size_t ScaleBytes(PackedScales scales, size_t groups) {
  constexpr size_t kRows = kTileRows;
  constexpr size_t kF16Row = kRows * 2;
  switch (scales) {
    case PackedScales::kNone: return 0;
    case PackedScales::kF16: return groups * kF16Row;
    case PackedScales::kF16Min: return groups * 2 * kF16Row;
    case PackedScales::kU8Min32: return groups * 2 * kRows + 2 * kF16Row;
    case PackedScales::kU4Min16: return groups * 2 * kRows + 2 * kF16Row;
    case PackedScales::kS8By32: return groups * kRows + kF16Row;
    case PackedScales::kS8By16: return groups * 2 * kRows + kF16Row;
  }
  return 0;
}

}  // namespace

size_t PackedChunkBytes(DType type, int groups) noexcept {
  const PackedFormat& format = kPackedFormats[static_cast<size_t>(type)];
  const auto count = static_cast<size_t>(groups);
  return AlignUp(count * static_cast<size_t>(format.bits()) * kVectorBytes +
                 ScaleBytes(format.scales, count));
}

size_t PackedTileBytes(DType type, int64_t cols) noexcept {
  const PackedFormat& format = kPackedFormats[static_cast<size_t>(type)];
  const auto count = static_cast<size_t>(cols);
  if (format.bits() == 0) return AlignUp(RowBytes(type, count) * kTileRows);
  const size_t chunks = count / kChunk;
  const auto rest = static_cast<int>(count % kChunk / kGroup);
  return chunks * PackedChunkBytes(type, kGroupsPerChunk) +
         (rest == 0 ? 0 : PackedChunkBytes(type, rest));
}

}  // namespace pingti
