#include "kernels/ref/dequantize.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tensor/float16.h"

namespace pingti::kernels {
namespace {

// tools/make_dequantize_golden.py writes the file: the values are those of another implementation.
TEST(Dequantize, AgreesWithGoldenForEveryType) {
  std::ifstream file("tests/golden/kernels/dequantize.bin", std::ios::binary);
  ASSERT_TRUE(file) << "run from the repository's root";
  for (size_t i = 0; i < kDTypeCount; ++i) {
    const auto type = static_cast<DType>(i);
    std::string name;
    size_t byte_count = 0;
    size_t value_count = 0;
    file >> name >> byte_count >> value_count;
    file.get();
    ASSERT_EQ(name, Info(type).name);
    std::vector<std::byte> blocks(byte_count);
    std::vector<float> wanted(value_count);
    file.read(reinterpret_cast<char*>(blocks.data()), static_cast<std::streamsize>(byte_count));
    file.read(reinterpret_cast<char*>(wanted.data()),
              static_cast<std::streamsize>(value_count * sizeof(float)));
    ASSERT_TRUE(file);
    ASSERT_EQ(RowBytes(type, value_count), byte_count);
    std::vector<float> found(value_count);
    Dequantize(type, blocks.data(), value_count, found.data());
    for (size_t v = 0; v < value_count; ++v) ASSERT_EQ(found[v], wanted[v]) << name << " " << v;
  }
}

TEST(Float16, EveryHalfSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = F16ToF32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(F16ToF32(F32ToF16(value))));
    } else {
      ASSERT_EQ(F32ToF16(value), bits);
    }
  }
}

TEST(Float16, RoundsToNearestEven) {
  EXPECT_EQ(F32ToF16(1.0F + 0x1p-11F), 0x3C00);         // half way: to the even one
  EXPECT_EQ(F32ToF16(1.0F + 3 * 0x1p-11F), 0x3C02);     // half way: up to the even one
  EXPECT_EQ(F32ToF16(65519.0F), 0x7BFF);                // the largest
  EXPECT_EQ(F32ToF16(65520.0F), 0x7C00);                // rounds to infinity
  EXPECT_EQ(F32ToF16(0x1p-25F), 0);                     // half of the smallest: to even zero
  EXPECT_EQ(F32ToF16(-std::numeric_limits<float>::infinity()), 0xFC00);
  EXPECT_EQ(F32ToBf16(1.0F + 0x1p-8F), 0x3F80);
  EXPECT_EQ(F32ToBf16(1.0F + 3 * 0x1p-8F), 0x3F82);
  EXPECT_TRUE(std::isnan(Bf16ToF32(F32ToBf16(std::numeric_limits<float>::quiet_NaN()))));
}

}  // namespace
}  // namespace pingti::kernels
