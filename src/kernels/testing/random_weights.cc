#include "kernels/testing/random_weights.h"

#include <cmath>
#include <cstring>

#include "tensor/float16.h"

namespace pingti::kernels {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  float Signed() { return static_cast<float>(Next() >> 40) * 0x1p-23F - 1.0F; }  // [-1, 1)

 private:
  uint64_t state_;
};

// Where a block's F16 scales stand, -1: none, and the largest factor that codes and integer scales put on them.
struct ScaleFields {
  int first;
  int second;
  float factor;
};

ScaleFields FieldsOf(DType type) {
  switch (type) {
    case DType::kQ4_0: return {0, -1, 8};
    case DType::kQ4_1: return {0, 2, 15};
    case DType::kQ5_0: return {0, -1, 16};
    case DType::kQ5_1: return {0, 2, 31};
    case DType::kQ8_0: return {0, -1, 128};
    case DType::kQ2_K: return {80, 82, 45};
    case DType::kQ3_K: return {108, -1, 128};
    case DType::kQ4_K: return {0, 2, 945};
    case DType::kQ5_K: return {0, 2, 1953};
    case DType::kQ6_K: return {208, -1, 4096};
    case DType::kIQ4_NL: return {0, -1, 127};
    case DType::kIQ4_XS: return {0, -1, 4064};
    default: return {-1, -1, 1};
  }
}

void PutF16(std::byte* block, int offset, float value) {
  if (offset < 0) return;
  const uint16_t bits = F32ToF16(value);
  std::memcpy(block + offset, &bits, sizeof(bits));
}

}  // namespace

std::vector<std::byte> RandomWeights(DType type, size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<std::byte> bytes(RowBytes(type, count));
  const DTypeInfo& info = Info(type);
  if (info.block_values == 1) {
    for (size_t i = 0; i < count; ++i) {
      const float value = random.Signed();
      const uint32_t f32 = std::bit_cast<uint32_t>(value);
      const uint32_t bits = type == DType::kF32   ? f32
                            : type == DType::kF16 ? F32ToF16(value)
                                                  : F32ToBf16(value);
      std::memcpy(bytes.data() + i * info.block_bytes, &bits, info.block_bytes);
    }
    return bytes;
  }
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.Next() >> 56);
  const ScaleFields fields = FieldsOf(type);
  for (size_t at = 0; at < bytes.size(); at += info.block_bytes) {
    PutF16(bytes.data() + at, fields.first, random.Signed() / fields.factor);
    PutF16(bytes.data() + at, fields.second, random.Signed() / fields.factor);
  }
  return bytes;
}

std::vector<float> RandomActivations(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    value = random.Signed();
    if (random.Next() % 64 == 0) value *= 20.0F;
  }
  return values;
}

}  // namespace pingti::kernels
