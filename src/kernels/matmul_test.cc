// Every table that this CPU has, every weight type: products against double sums over the same 8-bit activations.
#include "kernels/matmul.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "gtest/gtest.h"
#include "kernels/ref/dequantize.h"
#include "kernels/table.h"
#include "kernels/testing/random_weights.h"
#include "tensor/packed.h"

namespace pingti::kernels {
namespace {

std::vector<IsaLevel> Levels() {
  std::vector<IsaLevel> levels;
  for (int i = 0; i < kIsaLevelCount; ++i) {
    if (CpuHas(static_cast<IsaLevel>(i))) levels.push_back(static_cast<IsaLevel>(i));
  }
  return levels;
}

// Packed weights with the file's values beside them.
struct Weights {
  DType type;
  int64_t rows;
  int64_t cols;
  std::vector<float> values;    // [rows, cols]
  std::vector<std::byte> file;  // the same in the type's blocks
  AlignedBuffer packed;
};

Weights MakeWeights(const MatMulKernels& kernels, DType type, int64_t rows, int64_t cols) {
  const size_t count = static_cast<size_t>(rows * cols);
  const std::vector<std::byte> file = RandomWeights(type, count, static_cast<uint64_t>(rows + cols));
  Weights w = {type, rows, cols, std::vector<float>(count), file, {}};
  Dequantize(type, file.data(), count, w.values.data());
  const WeightKernels& wk = kernels.weights[static_cast<size_t>(type)];
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  w.packed = AlignedBuffer(static_cast<size_t>(tiles) * wk.tile_bytes(cols));
  const size_t row_bytes = RowBytes(type, static_cast<size_t>(cols));
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t row = tile * kTileRows;
    const int count_rows = static_cast<int>(std::min<int64_t>(kTileRows, rows - row));
    wk.pack_tile(file.data() + static_cast<size_t>(row) * row_bytes, row_bytes, count_rows, cols,
                 reinterpret_cast<uint8_t*>(w.packed.data()) + static_cast<size_t>(tile) * wk.tile_bytes(cols));
  }
  return w;
}

// Quantised activations of `columns` columns, or the same F32 ones for types that take these.
struct Input {
  int64_t columns;
  int64_t chunks;
  std::vector<float> x;       // [columns, cols]
  AlignedBuffer codes, scales, sums, terms;
  std::vector<double> exact;  // [columns, cols]: what the product really multiplies

  QuantizedColumns quantized() const {
    return {reinterpret_cast<const int8_t*>(codes.data()),
            reinterpret_cast<const float*>(scales.data()), terms.data()};
  }
};

Input MakeInput(const MatMulKernels& kernels, const WeightKernels& weights, int64_t cols,
                std::vector<float> x) {
  Input in;
  in.columns = static_cast<int64_t>(x.size()) / cols;
  in.chunks = (cols + kChunk - 1) / kChunk;
  in.x = std::move(x);
  in.exact.assign(in.x.begin(), in.x.end());
  const size_t blocks = static_cast<size_t>(in.chunks * in.columns);
  in.codes = AlignedBuffer(blocks * kChunk);
  in.scales = AlignedBuffer(blocks * kGroupsPerChunk * 4);
  in.sums = AlignedBuffer(blocks * kGroupsPerChunk * 4);
  in.terms = AlignedBuffer(blocks * kGroupsPerChunk * 8);
  if (!weights.quantized_input) return in;
  const bool sixteens =
      weights.term.kind == TermKind::kZero16 || weights.term.kind == TermKind::kMin16;
  for (int64_t t = 0; t < in.columns; ++t) {
    auto* codes = reinterpret_cast<int8_t*>(in.codes.data()) + t * kChunk;
    auto* scales = reinterpret_cast<float*>(in.scales.data()) + t * kGroupsPerChunk;
    auto* sums = reinterpret_cast<int16_t*>(in.sums.data()) + t * 2 * kGroupsPerChunk;
    kernels.quantize_column(in.x.data() + t * cols, cols, in.columns, codes, scales, sums);
    kernels.make_terms(weights.term, in.chunks, in.columns, sums, scales,
                       in.terms.data() + t * kGroupsPerChunk * (sixteens ? 8 : 4));
    for (int64_t k = 0; k < cols; ++k) {
      const int64_t block = k / kChunk * in.columns;
      in.exact[static_cast<size_t>(t * cols + k)] =
          static_cast<double>(codes[block * kChunk + k % kChunk]) *
          scales[block * kGroupsPerChunk + k % kChunk / kGroup];
    }
  }
  return in;
}

// [columns, rows] with guards around and between the rows.
constexpr float kGuard = 12345.0F;
constexpr int64_t kGuardFloats = 3;

std::vector<float> TakeGuarded(const std::vector<float>& out, int64_t columns, int64_t rows) {
  std::vector<float> result;
  for (int64_t i = 0; i < kGuardFloats; ++i) EXPECT_EQ(out[static_cast<size_t>(i)], kGuard);
  for (int64_t t = 0; t < columns; ++t) {
    const float* row = out.data() + kGuardFloats + t * (rows + kGuardFloats);
    result.insert(result.end(), row, row + rows);
    for (int64_t i = 0; i < kGuardFloats; ++i) EXPECT_EQ(row[rows + i], kGuard);
  }
  return result;
}

std::vector<float> Multiply(const MatMulKernels& kernels, const Weights& w, const Input& in) {
  const int64_t stride = w.rows + kGuardFloats;
  std::vector<float> out(static_cast<size_t>(kGuardFloats + in.columns * stride), kGuard);
  ProductArgs args;
  args.tiles = reinterpret_cast<const uint8_t*>(w.packed.data());
  args.rows = w.rows;
  args.cols = w.cols;
  args.columns = in.columns;
  args.quantized = in.quantized();
  args.x = in.x.data();
  args.x_stride = w.cols;
  args.out = out.data() + kGuardFloats;
  args.out_stride = stride;
  kernels.weights[static_cast<size_t>(w.type)].Multiply(args);
  return TakeGuarded(out, in.columns, w.rows);
}

// Where the codes stand in a block of a type with minimums: without them a weight is its minimum.
struct CodeBytes {
  size_t begin = 0;
  size_t end = 0;
};
CodeBytes CodesOf(DType type) {
  switch (type) {
    case DType::kQ4_1: return {4, 20};
    case DType::kQ5_1: return {4, 24};
    case DType::kQ2_K: return {16, 80};
    case DType::kQ4_K: return {16, 144};
    case DType::kQ5_K: return {16, 176};
    default: return {};
  }
}

// The weights' minimums, zero for types that have none. [rows, cols]
std::vector<float> MinimumsOf(const Weights& w) {
  std::vector<float> minimums(w.values.size());
  const CodeBytes codes = CodesOf(w.type);
  if (codes.end == 0) return minimums;
  std::vector<std::byte> file = w.file;
  for (size_t block = 0; block < file.size(); block += Info(w.type).block_bytes) {
    std::memset(file.data() + block + codes.begin, 0, codes.end - codes.begin);
  }
  Dequantize(w.type, file.data(), minimums.size(), minimums.data());
  return minimums;
}

// What the roundings of one sum explain: each of the additions in a row rounds a partial sum, at most the sum of what is
// added in magnitude, and each added product of scales was rounded itself. Sums over codes are exact.
double RoundingsOf(const Weights& w) {
  constexpr double kPerSum = 4;  // the scales' product, the reference's own product, bias, and the sum of both parts
  if (w.type <= DType::kBF16) return static_cast<double>(w.cols) + kPerSum;
  constexpr double kAddedPerGroup = 4;  // two halves of a group, each with a minimum
  return static_cast<double>(w.cols / kGroup) * kAddedPerGroup + kPerSum;
}

void ExpectClose(const Weights& w, const Input& in, const std::vector<float>& found,
                 const std::string& what) {
  constexpr double kRounding = FLT_EPSILON / 2;
  const std::vector<float> minimums = MinimumsOf(w);
  for (int64_t t = 0; t < in.columns; ++t) {
    for (int64_t r = 0; r < w.rows; ++r) {
      double wanted = 0;
      double norm = 0;
      for (int64_t k = 0; k < w.cols; ++k) {
        const double x = in.exact[static_cast<size_t>(t * w.cols + k)];
        const double weight = w.values[static_cast<size_t>(r * w.cols + k)];
        const double minimum = minimums[static_cast<size_t>(r * w.cols + k)];
        wanted += weight * x;
        norm += (std::abs(weight - minimum) + std::abs(minimum)) * std::abs(x);
      }
      ASSERT_NEAR(found[static_cast<size_t>(t * w.rows + r)], wanted, kRounding * RoundingsOf(w) * norm)
          << what << " row " << r << " column " << t;
    }
  }
}

struct Shape {
  int64_t rows;
  int64_t cols;
  int64_t columns;
};

class Products : public testing::TestWithParam<int> {
 protected:
  DType type() const { return static_cast<DType>(GetParam()); }
  bool super() const { return Info(type()).block_values == kChunk; }
  bool floats() const { return Info(type()).block_values == 1; }
};

TEST_P(Products, AgreeWithDoubleSumsAtEveryLevel) {
  std::vector<Shape> shapes = {{16, 256, 1}, {33, 512, 2}, {15, 256, 3}, {80, 768, 4}, {65, 256, 5},
                               {16, 512, 14}, {130, 256, 17}, {17, 256, 45}};
  if (!super()) shapes.insert(shapes.end(), {{3, 32, 1}, {40, 288, 2}, {16, 480, 15}, {64, 96, 6}});
  if (floats()) shapes.insert(shapes.end(), {{1, 1, 1}, {18, 37, 3}, {48, 129, 16}});
  for (const IsaLevel level : Levels()) {
    const KernelTable table = MakeTable(level);
    const MatMulKernels& kernels = table.matmul;
    for (const Shape& shape : shapes) {
      const Weights w = MakeWeights(kernels, type(), shape.rows, shape.cols);
      const size_t count = static_cast<size_t>(shape.columns * shape.cols);
      const Input in = MakeInput(kernels, kernels.weights[static_cast<size_t>(type())], shape.cols,
                                 RandomActivations(count, 7));
      const std::string what = std::string(Info(type()).name) + " " +
                               std::string(IsaLevelName(level)) + " " + std::to_string(shape.rows) +
                               "x" + std::to_string(shape.cols) + "x" + std::to_string(shape.columns);
      ExpectClose(w, in, Multiply(kernels, w, in), what);
    }
  }
}

// A column of one 1 and zeros gives the weights back: unpack(pack(w)) = w.
TEST_P(Products, PackingKeepsEveryWeight) {
  if (floats()) return;  // copied as they are; the other tests see to these
  const int64_t cols = super() ? 512 : 352;
  for (const IsaLevel level : Levels()) {
    const KernelTable table = MakeTable(level);
    const Weights w = MakeWeights(table.matmul, type(), 19, cols);
    for (int64_t k = 0; k < cols; ++k) {
      std::vector<float> x(static_cast<size_t>(cols));
      x[static_cast<size_t>(k)] = 127.0F;  // code 127, scale 1
      const Input in = MakeInput(table.matmul, table.matmul.weights[static_cast<size_t>(type())], cols, x);
      const std::vector<float> found = Multiply(table.matmul, w, in);
      for (int64_t r = 0; r < w.rows; ++r) {
        const float weight = w.values[static_cast<size_t>(r * cols + k)];
        // The two halves of a weight with a minimum are rounded after multiplying by 127.
        ASSERT_NEAR(found[static_cast<size_t>(r)], 127.0F * weight, 127.0F * 4 * FLT_EPSILON)
            << Info(type()).name << " row " << r << " k " << k;
      }
    }
  }
}

TEST_P(Products, AColumnHasTheSameBitsAloneAndAmongOthers) {
  constexpr int64_t kColumns = 256;
  constexpr int64_t kCols = 512;
  for (const IsaLevel level : Levels()) {
    const KernelTable table = MakeTable(level);
    const WeightKernels& weights = table.matmul.weights[static_cast<size_t>(type())];
    const Weights w = MakeWeights(table.matmul, type(), 35, kCols);
    const std::vector<float> x = RandomActivations(kColumns * kCols, 3);
    const std::vector<float> all = Multiply(table.matmul, w, MakeInput(table.matmul, weights, kCols, x));
    int64_t first = 0;
    for (const int64_t count : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 31}) {
      const std::vector<float> part(x.begin() + first * kCols, x.begin() + (first + count) * kCols);
      const std::vector<float> some =
          Multiply(table.matmul, w, MakeInput(table.matmul, weights, kCols, part));
      ASSERT_EQ(std::memcmp(some.data(), all.data() + first * w.rows, some.size() * sizeof(float)), 0)
          << Info(type()).name << " " << IsaLevelName(level) << " " << count << " columns";
      first += count;
    }
  }
}

TEST_P(Products, AddBiasAndAccumulate) {
  for (const IsaLevel level : Levels()) {
    const KernelTable table = MakeTable(level);
    const Weights w = MakeWeights(table.matmul, type(), 21, 256);
    const Input in = MakeInput(table.matmul, table.matmul.weights[static_cast<size_t>(type())], 256,
                               RandomActivations(6 * 256, 5));
    const std::vector<float> plain = Multiply(table.matmul, w, in);
    const std::vector<float> bias = RandomActivations(21, 9);
    std::vector<float> out(plain.size(), 2.0F);
    ProductArgs args;
    args.tiles = reinterpret_cast<const uint8_t*>(w.packed.data());
    args.rows = 21;
    args.cols = 256;
    args.columns = 6;
    args.quantized = in.quantized();
    args.x = in.x.data();
    args.x_stride = 256;
    args.maybe_bias = bias.data();
    args.out = out.data();
    args.out_stride = 21;
    args.accumulate = true;
    table.matmul.weights[static_cast<size_t>(type())].Multiply(args);
    for (size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], (plain[i] + bias[i % 21]) + 2.0F);
  }
}

// [columns, rows] by multiply_bf16, with the guards of Multiply.
std::vector<float> MultiplyBf16(const KernelTable& table, const Weights& w, const std::vector<float>& x) {
  const int64_t columns = static_cast<int64_t>(x.size()) / w.cols;
  const int64_t groups = (columns + kBf16TileColumns - 1) / kBf16TileColumns;
  const int64_t steps = w.cols / kGroup;
  AlignedBuffer tiles(static_cast<size_t>(groups * steps * kBf16TileValues) * sizeof(uint16_t));
  auto* values = reinterpret_cast<uint16_t*>(tiles.data());
  std::memset(values, 0xFF, tiles.size());  // not a number in the columns that are none
  for (int64_t t = 0; t < columns; ++t) {
    for (int64_t step = 0; step < steps; ++step) {
      table.vector.f32_to_bf16(x.data() + t * w.cols + step * kGroup, kGroup,
                               values + (t / kBf16TileColumns * steps + step) * kBf16TileValues +
                                   t % kBf16TileColumns * kGroup);
    }
  }
  const int64_t stride = w.rows + kGuardFloats;
  std::vector<float> out(static_cast<size_t>(kGuardFloats + columns * stride), kGuard);
  ProductArgs args;
  args.tiles = reinterpret_cast<const uint8_t*>(w.packed.data());
  args.rows = w.rows;
  args.cols = w.cols;
  args.columns = columns;
  args.bf16 = values;
  args.out = out.data() + kGuardFloats;
  args.out_stride = stride;
  table.matmul.weights[static_cast<size_t>(w.type)].multiply_bf16(args);
  return TakeGuarded(out, columns, w.rows);
}

TEST_P(Products, OfBf16AgreeWithDoubleSumsWhateverTheColumns) {
  if (!CpuHas(IsaLevel::kAmxBf16)) GTEST_SKIP() << "this CPU has no matrix unit";
  const KernelTable table = MakeTable(IsaLevel::kAmxBf16);
  if (floats()) {
    EXPECT_EQ(table.matmul.weights[static_cast<size_t>(type())].multiply_bf16, nullptr);
    return;
  }
  const int64_t odd_cols = super() ? 768 : 800;  // the last piece is a short one
  for (const Shape& shape : {Shape{16, 256, 1}, Shape{33, odd_cols, 17}, Shape{130, 512, 32}, Shape{272, 256, 49}}) {
    const Weights w = MakeWeights(table.matmul, type(), shape.rows, shape.cols);
    const std::vector<float> x = RandomActivations(static_cast<size_t>(shape.columns * shape.cols), 7);
    const std::vector<float> all = MultiplyBf16(table, w, x);
    for (int64_t t = 0; t < shape.columns; ++t) {
      for (int64_t r = 0; r < w.rows; ++r) {
        double wanted = 0;
        double norm = 0;
        for (int64_t k = 0; k < w.cols; ++k) {
          const double product = static_cast<double>(w.values[static_cast<size_t>(r * w.cols + k)]) *
                                 x[static_cast<size_t>(t * w.cols + k)];
          wanted += product;
          norm += std::abs(product);
        }
        // Both factors are rounded to 8 bits; the sum's roundings are small beside that.
        ASSERT_NEAR(all[static_cast<size_t>(t * w.rows + r)], wanted, 2.1 * 0x1p-9 * norm)
            << Info(type()).name << " row " << r << " column " << t;
      }
    }
    const std::vector<float> last(x.end() - shape.cols, x.end());
    const std::vector<float> alone = MultiplyBf16(table, w, last);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), all.end() - w.rows)) << "bits depend on the other columns";
  }
}

TEST_P(Products, TheReferenceTableIsExactToRounding) {
  const KernelTable table = ReferenceTable();
  const Weights w = MakeWeights(table.matmul, type(), 18, 256);
  const Input in = MakeInput(table.matmul, table.matmul.weights[static_cast<size_t>(type())], 256,
                             RandomActivations(3 * 256, 5));
  const std::vector<float> found = Multiply(table.matmul, w, in);
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t r = 0; r < w.rows; ++r) {
      double wanted = 0;
      for (int64_t k = 0; k < 256; ++k) {
        wanted += static_cast<double>(w.values[static_cast<size_t>(r * 256 + k)]) *
                  in.x[static_cast<size_t>(t * 256 + k)];
      }
      ASSERT_EQ(found[static_cast<size_t>(t * w.rows + r)], static_cast<float>(wanted));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Products, testing::Range(0, static_cast<int>(kDTypeCount)),
                         [](const testing::TestParamInfo<int>& param) {
                           return std::string(Info(static_cast<DType>(param.param)).name);
                         });

TEST(QuantizeColumn, ScaleIsTheBestOneForItsCodesAndNoPlainGridIsBetter) {
  const std::vector<float> x = RandomActivations(kChunk, 21);
  for (const IsaLevel level : Levels()) {
    const KernelTable table = MakeTable(level);
    std::vector<int8_t> codes(kChunk);
    std::vector<float> scales(kGroupsPerChunk);
    std::vector<int16_t> sums(2 * kGroupsPerChunk);
    table.matmul.quantize_column(x.data(), kChunk, 1, codes.data(), scales.data(), sums.data());
    for (int g = 0; g < kGroupsPerChunk; ++g) {
      const auto error = [&](double scale) {
        double sum = 0;
        for (int i = g * kGroup; i < (g + 1) * kGroup; ++i) {
          sum += std::pow(x[static_cast<size_t>(i)] - scale * codes[static_cast<size_t>(i)], 2);
        }
        return sum;
      };
      const double scale = scales[static_cast<size_t>(g)];
      EXPECT_LE(error(scale), error(scale * 1.0005));
      EXPECT_LE(error(scale), error(scale * 0.9995));
      const auto begin = x.begin() + g * kGroup;
      const auto [least, greatest] = std::minmax_element(begin, begin + kGroup);
      const double largest = std::max(-*least, *greatest);
      for (double code_max = 127; code_max >= 120; --code_max) {
        double plain = 0;
        for (auto it = begin; it != begin + kGroup; ++it) {
          plain += std::pow(*it - std::nearbyint(*it * code_max / largest) * largest / code_max, 2);
        }
        EXPECT_LE(error(scale), plain * 1.001) << "no plain grid is better: " << code_max;
      }
    }
  }
}

TEST(QuantizeColumn, IsTheSameAtEveryLevelAndTakesSpecialValues) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  std::vector<float> x = RandomActivations(10 * kGroup, 11);
  for (int i = 0; i < kGroup; ++i) x[static_cast<size_t>(i)] = 0.0F;               // a group of zeros
  for (int i = 32; i < 64; ++i) x[static_cast<size_t>(i)] = i % 2 == 0 ? -0.0F : 1e-41F;  // denormals
  x[64] = 3e38F;                                                                    // near the largest
  for (int i = 96; i < 128; ++i) x[static_cast<size_t>(i)] = static_cast<float>(i - 112) + 0.5F;
  x[127] = 127.0F;
  std::vector<int8_t> first_codes;
  std::vector<float> first_scales;
  for (const IsaLevel level : Levels()) {
    const KernelTable table = MakeTable(level);
    std::vector<int8_t> codes(2 * kChunk, 99);
    std::vector<float> scales(2 * kGroupsPerChunk, 99);
    std::vector<int16_t> sums(4 * kGroupsPerChunk, 99);
    table.matmul.quantize_column(x.data(), 10 * kGroup, 1, codes.data(), scales.data(), sums.data());
    EXPECT_EQ(scales[0], 0.0F);
    EXPECT_EQ(scales[1], 0.0F);
    EXPECT_EQ(codes[40], 0);
    for (size_t i = 96; i < 128; ++i) EXPECT_NEAR(scales[3] * codes[i], x[i], 0.6F);
    EXPECT_EQ(codes[10 * kGroup], 0) << "inputs past the last are zero";
    EXPECT_EQ(scales[15], 0.0F);
    for (int half = 0; half < 4 * kGroupsPerChunk; ++half) {
      int sum = 0;
      for (int i = 0; i < 16; ++i) sum += codes[static_cast<size_t>(16 * half + i)];
      EXPECT_EQ(sums[static_cast<size_t>(half)], sum);
    }
    if (first_codes.empty()) {
      first_codes = codes;
      first_scales = scales;
    }
    EXPECT_EQ(codes, first_codes) << IsaLevelName(level);
    EXPECT_EQ(scales, first_scales) << IsaLevelName(level);
    // Infinities and NaN must not trap or write elsewhere; what they give is not defined.
    std::vector<float> special = x;
    special[200] = kInf;
    special[240] = std::numeric_limits<float>::quiet_NaN();
    table.matmul.quantize_column(special.data(), 10 * kGroup, 1, codes.data(), scales.data(),
                                 sums.data());
  }
}

}  // namespace
}  // namespace pingti::kernels
