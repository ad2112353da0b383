// Every vector kernel of every table that this machine can run, against the reference: all lengths below two vectors
// and some beyond, pointers at three distances from alignment, guard bytes, special values.
#include "kernels/vector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "kernels/testing/guarded.h"
#include "tensor/float16.h"

namespace pingti::kernels {
namespace {

using testing::Guarded;

constexpr double kEpsilon = 0x1p-24;  // one rounding of a float
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<int64_t> Lengths() {
  std::vector<int64_t> lengths;
  for (int64_t n = 1; n < 36; ++n) lengths.push_back(n);
  for (const int64_t n : {64, 67, 128, 255, 1536}) lengths.push_back(n);
  return lengths;
}
constexpr size_t kOffsets[] = {0, 1, 3};

class VectorTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    const auto level = static_cast<IsaLevel>(GetParam());
    if (!CpuHas(level)) GTEST_SKIP() << "this CPU has no " << IsaLevelName(level);
    kernels_ = MakeTable(level).vector;
  }

  Guarded<float> Random(int64_t n, size_t offset, float scale = 1) {
    Guarded<float> out(static_cast<size_t>(n), offset);
    std::normal_distribution<float> normal(0, scale);
    for (size_t i = 0; i < out.size(); ++i) out[i] = normal(random_);
    return out;
  }

  // fn(length, offset) for all of them.
  template <typename F>
  void ForShapes(F&& fn) {
    for (const int64_t n : Lengths()) {
      for (const size_t offset : kOffsets) fn(n, offset);
    }
  }

  VectorKernels kernels_;
  const VectorKernels reference_ = ReferenceTable().vector;
  std::mt19937 random_{7};
};

void ExpectNear(const Guarded<float>& actual, const Guarded<float>& expected, double relative, double absolute = 0) {
  ASSERT_TRUE(actual.Intact()) << "wrote outside its output";
  for (size_t i = 0; i < actual.size(); ++i) {
    const double bound = relative * std::fabs(double{expected[i]}) + absolute;
    ASSERT_LE(std::fabs(double{actual[i]} - expected[i]), bound) << "at " << i << " of " << actual.size();
  }
}

TEST_P(VectorTest, RmsNorm) {
  ForShapes([&](int64_t n, size_t offset) {
    const Guarded<float> x = Random(n, offset);
    const Guarded<float> weight = Random(n, (offset + 1) % 4);
    Guarded<float> actual(x.size(), 3 - offset), expected(x.size());
    kernels_.rms_norm(x.data(), weight.data(), 1e-5F, n, actual.data());
    reference_.rms_norm(x.data(), weight.data(), 1e-5F, n, expected.data());
    // A sum of n positive terms, its root, two products.
    ExpectNear(actual, expected, (static_cast<double>(n) / 2 + 5) * kEpsilon);
  });
}

TEST_P(VectorTest, RmsNormOfZerosIsZero) {
  Guarded<float> x(20);
  for (size_t i = 0; i < x.size(); ++i) x[i] = 0;
  const Guarded<float> weight = Random(20, 0);
  kernels_.rms_norm(x.data(), weight.data(), 1e-6F, 20, x.data());  // in place
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(x[i], 0);
}

TEST_P(VectorTest, SiluMul) {
  ForShapes([&](int64_t n, size_t offset) {
    const Guarded<float> gate = Random(n, offset, 8);
    const Guarded<float> up = Random(n, (offset + 2) % 4);
    Guarded<float> actual(gate.size(), offset), expected(gate.size());
    kernels_.silu_mul(gate.data(), up.data(), n, actual.data());
    reference_.silu_mul(gate.data(), up.data(), n, expected.data());
    ExpectNear(actual, expected, 12 * kEpsilon);
  });
}

TEST_P(VectorTest, SiluMulOfExtremeValues) {
  const std::vector<float> gates = {0, -0.0F, 1e-40F, -1e-40F, 87, -87, 89, -89, 1000, -1000, 3e38F, -3e38F, kInfinity};
  for (const float gate : gates) {
    const float one = 1;
    float actual = 0, expected = 0;
    kernels_.silu_mul(&gate, &one, 1, &actual);
    reference_.silu_mul(&gate, &one, 1, &expected);
    if (std::isinf(expected)) {
      EXPECT_EQ(actual, expected);
    } else {
      // Below -87 the exponential is clamped: the result is -gate * e^-88 at most.
      const double absolute = gate < -87 ? -double{gate} * 1e-37 : 0;
      EXPECT_NEAR(actual, expected, 12 * kEpsilon * std::fabs(double{expected}) + absolute) << gate;
    }
  }
  const float nan = kNaN;
  float out = 0;
  kernels_.silu_mul(&nan, &nan, 1, &out);
  EXPECT_TRUE(std::isnan(out));
}

TEST_P(VectorTest, AddScaled) {
  ForShapes([&](int64_t n, size_t offset) {
    const Guarded<float> x = Random(n, offset);
    Guarded<float> actual = Random(n, (offset + 1) % 4);
    Guarded<float> expected(x.size());
    std::memcpy(expected.data(), actual.data(), x.size() * sizeof(float));
    const double size = 10;  // of the terms
    kernels_.add_scaled(x.data(), 0.7F, n, actual.data());
    reference_.add_scaled(x.data(), 0.7F, n, expected.data());
    ExpectNear(actual, expected, 2 * kEpsilon, 2 * size * kEpsilon);
  });
}

TEST_P(VectorTest, Rope) {
  for (int64_t dim = 2; dim <= 140; dim += 2) {
    for (const size_t offset : kOffsets) {
      for (const bool halves : {false, true}) {
        Guarded<float> cos(static_cast<size_t>(dim), offset), sin(static_cast<size_t>(dim), 1);
        for (size_t i = 0; i < cos.size(); ++i) {
          const auto angle = static_cast<float>(halves ? i : i / 2) * 0.3F;
          cos[i] = std::cos(angle);
          sin[i] = !halves && i % 2 == 0 ? -std::sin(angle) : std::sin(angle);
        }
        Guarded<float> actual = Random(dim, offset);
        Guarded<float> expected(actual.size());
        std::memcpy(expected.data(), actual.data(), actual.size() * sizeof(float));
        const auto rotate = [&](const VectorKernels& k) { return halves ? k.rope_halves : k.rope_interleaved; };
        rotate(kernels_)(cos.data(), sin.data(), dim, actual.data());
        rotate(reference_)(cos.data(), sin.data(), dim, expected.data());
        ExpectNear(actual, expected, 0, 3 * 10 * kEpsilon);
      }
    }
  }
}

TEST_P(VectorTest, EveryHalfWidens) {
  Guarded<uint16_t> halves(0x10000, 1);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  Guarded<float> out(halves.size(), 3);
  const auto expect_all = [&](auto expected_of) {
    for (size_t i = 0; i < out.size(); ++i) {
      const float expected = expected_of(static_cast<uint16_t>(i));
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(out[i])) << i;
      } else {
        ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(expected)) << i;
      }
    }
  };
  kernels_.f16_to_f32(halves.data(), 0x10000, out.data());
  expect_all(F16ToF32);
  kernels_.bf16_to_f32(halves.data(), 0x10000, out.data());
  expect_all(Bf16ToF32);
  EXPECT_TRUE(out.Intact());
}

TEST_P(VectorTest, FloatsNarrowToNearestEven) {
  std::vector<float> special = {0,       -0.0F,    1,         65504,    65519.99F, 65520,      1e30F, -kInfinity,
                                0x1p-24F, 0x1p-25F, 0x1.8p-25F, 0x1p-14F, 1.00048828125F, 1.00146484375F};
  for (int i = 0; i < 20000; ++i) special.push_back(std::bit_cast<float>(static_cast<uint32_t>(random_())));
  for (const int64_t n : {int64_t{1}, int64_t{5}, int64_t{17}, static_cast<int64_t>(special.size())}) {
    Guarded<uint16_t> actual(static_cast<size_t>(n), 1), expected(static_cast<size_t>(n));
    const auto expect_all = [&](uint16_t infinity) {
      ASSERT_TRUE(actual.Intact());
      for (size_t i = 0; i < actual.size(); ++i) {
        if (std::isnan(special[i])) {
          ASSERT_GT(actual[i] & 0x7FFF, infinity) << i;
        } else {
          ASSERT_EQ(actual[i], expected[i]) << special[i];
        }
      }
    };
    kernels_.f32_to_f16(special.data(), n, actual.data());
    reference_.f32_to_f16(special.data(), n, expected.data());
    expect_all(0x7C00);
    kernels_.f32_to_bf16(special.data(), n, actual.data());
    reference_.f32_to_bf16(special.data(), n, expected.data());
    expect_all(0x7F80);
  }
}

TEST_P(VectorTest, MaxAndArgMax) {
  ForShapes([&](int64_t n, size_t offset) {
    Guarded<float> x = Random(n, offset);
    if (n > 3) x[static_cast<size_t>(n) / 2] = x[static_cast<size_t>(n) - 1] = 9;  // the first of equals
    if (n > 5) x[1] = kNaN;
    EXPECT_EQ(kernels_.max(x.data(), n), reference_.max(x.data(), n)) << n;
    EXPECT_EQ(kernels_.argmax(x.data(), n), reference_.argmax(x.data(), n)) << n;
  });
  const float lowest[] = {-kInfinity, -kInfinity};
  EXPECT_EQ(kernels_.argmax(lowest, 2), 0);
}

TEST_P(VectorTest, SoftmaxExp) {
  ForShapes([&](int64_t n, size_t offset) {
    Guarded<float> x = Random(n, offset, 5);
    const float max = reference_.max(x.data(), n);
    x[0] = -kInfinity;  // a forbidden token
    Guarded<float> actual(x.size(), offset), expected(x.size());
    const double sum = kernels_.softmax_exp(x.data(), n, max, 1.25F, actual.data());
    const double expected_sum = reference_.softmax_exp(x.data(), n, max, 1.25F, expected.data());
    EXPECT_EQ(actual[0], 0);
    const double relative = (2 * 1.25 * 40 + 8) * kEpsilon;  // the argument, at most 1.25 * 40, is rounded twice
    ExpectNear(actual, expected, relative);
    EXPECT_NEAR(sum, expected_sum, (relative + 64 * kEpsilon) * expected_sum);
  });
}

TEST_P(VectorTest, JoinSkipsRowsThatSawNothing) {
  constexpr int64_t kDim = 20, kRows = 3;
  const int64_t stride = ValueStride(kDim);
  const auto state = [&](std::vector<float>& maxima, std::vector<float>& sums, Guarded<float>& values) {
    return AttentionState{.maxima = maxima.data(), .sums = sums.data(), .values = values.data()};
  };
  std::vector<float> maxima = {1, -kInfinity, 5}, sums = {2, 0, 3}, next_maxima = {3, 2, -kInfinity}, next_sums = {1.5F, 1, 0};
  Guarded<float> values = Random(kRows * stride, 0), next = Random(kRows * stride, 0);
  for (int64_t i = 0; i < stride; ++i) values[static_cast<size_t>(stride + i)] = 0;
  std::vector<float> expected_maxima = maxima, expected_sums = sums;
  Guarded<float> expected(values.size());
  std::memcpy(expected.data(), values.data(), values.size() * sizeof(float));
  kernels_.join(state(next_maxima, next_sums, next), kRows, kDim, state(maxima, sums, values));
  reference_.join(state(next_maxima, next_sums, next), kRows, kDim, state(expected_maxima, expected_sums, expected));
  EXPECT_EQ(maxima, (std::vector<float>{3, 2, 5}));
  for (size_t row = 0; row < kRows; ++row) EXPECT_NEAR(sums[row], expected_sums[row], 8 * kEpsilon);
  ExpectNear(values, expected, 4 * kEpsilon, 20 * kEpsilon);
}

TEST_P(VectorTest, KvCellsAreTheReferences) {
  for (size_t type = 0; type < kKvTypeCount; ++type) {
    for (const int64_t dim : {1, 6, 16, 40, 128}) {
      const size_t bytes = std::max(KeyHeadBytes(static_cast<KvType>(type), dim),
                                    ValueHeadBytes(static_cast<KvType>(type), dim));
      Guarded<std::byte> actual(bytes), expected(bytes);
      for (const int32_t slot : {0, 7, 31}) {
        Guarded<float> x = Random(dim, 1, 3);
        if (slot == 7) x[0] = 1e30F;  // F16 clamps it
        if (slot == 31) std::memset(x.data(), 0, x.size() * sizeof(float));
        for (const bool key : {true, false}) {
          const auto write = [&](const KvKernels& k) { return key ? k.write_key : k.write_value; };
          const auto read = [&](const KvKernels& k) { return key ? k.read_key : k.read_value; };
          write(kernels_.kv[type])(x.data(), dim, slot, actual.data());
          write(reference_.kv[type])(x.data(), dim, slot, expected.data());
          ASSERT_TRUE(actual.Intact());
          ASSERT_EQ(std::memcmp(actual.data(), expected.data(), bytes), 0)
              << "type " << type << " dim " << dim << " slot " << slot << (key ? " key" : " value");
          Guarded<float> back(x.size(), 1), expected_back(x.size());
          read(kernels_.kv[type])(actual.data(), dim, slot, back.data());
          read(reference_.kv[type])(actual.data(), dim, slot, expected_back.data());
          ExpectNear(back, expected_back, kEpsilon);
        }
      }
    }
  }
}

// One KV head with every block in memory of its own between guards, `offset` elements away from alignment.
struct GuardedHead {
  GuardedHead(KvType type, int64_t dim, bool keys, int32_t positions, size_t offset) {
    const size_t bytes = keys ? KeyHeadBytes(type, dim) : ValueHeadBytes(type, dim);
    const size_t element = type == KvType::kQ8 ? 4 : KvElementBytes(type);  // Q8's scales are F32
    for (int32_t p = 0; p < positions; p += kKvBlock) {
      memory.emplace_back(bytes, offset * element);
      std::memset(memory.back().data(), 0, bytes);
      blocks.push_back(memory.back().data());
    }
  }
  bool Intact() const {
    return std::all_of(memory.begin(), memory.end(), [](const auto& block) { return block.Intact(); });
  }
  std::vector<Guarded<std::byte>> memory;
  std::vector<const std::byte*> blocks;
};

struct AttendCase {
  int32_t tokens, group, key_dim, value_dim, positions, window;
};

// What a task reads and writes, all of it between guards.
struct AttendMemory {
  AttendMemory(KvType type, const AttendCase& c, size_t offset)
      : keys(type, c.key_dim, true, c.positions, offset), values(type, c.value_dim, false, c.positions, offset),
        scratch(AttentionScratchFloats(c.tokens * c.group, c.key_dim, c.value_dim)),
        maxima(static_cast<size_t>(c.tokens * c.group), offset), sums(maxima.size(), offset),
        weighted(maxima.size() * static_cast<size_t>(ValueStride(c.value_dim))) {}
  AttentionState State() { return {.maxima = maxima.data(), .sums = sums.data(), .values = weighted.data()}; }
  bool Intact() const {
    return keys.Intact() && values.Intact() && scratch.Intact() && maxima.Intact() && sums.Intact() && weighted.Intact();
  }
  GuardedHead keys, values;
  Guarded<float> scratch, maxima, sums, weighted;
};

TEST_P(VectorTest, AttendStaysInsideItsMemoryAtAnyAlignment) {
  constexpr AttendCase kCases[] = {{1, 1, 1, 1, 1, 0},     {1, 3, 16, 16, 31, 0},   {2, 4, 64, 64, 33, 0},
                                   {5, 3, 40, 24, 130, 0}, {13, 2, 80, 80, 200, 50}, {30, 1, 128, 96, 257, 0}};
  for (size_t type = 0; type < kKvTypeCount; ++type) {
    const KvKernels& kv = kernels_.kv[type];
    const KvKernels& trusted = reference_.kv[type];
    for (const AttendCase& c : kCases) {
      for (const size_t offset : kOffsets) {
        AttendMemory actual(static_cast<KvType>(type), c, offset), expected(static_cast<KvType>(type), c, 0);
        for (int32_t p = 0; p < c.positions; ++p) {
          const auto block = static_cast<size_t>(p / kKvBlock);
          const Guarded<float> key = Random(c.key_dim, 0), value = Random(c.value_dim, 0);
          for (AttendMemory* memory : {&actual, &expected}) {
            trusted.write_key(key.data(), c.key_dim, p % kKvBlock, memory->keys.memory[block].data());
            trusted.write_value(value.data(), c.value_dim, p % kKvBlock, memory->values.memory[block].data());
          }
        }
        const int64_t stride = int64_t{c.group} * c.key_dim + 3;
        const Guarded<float> queries = Random(c.tokens * stride, offset);
        AttentionTask task{.queries = queries.data(), .query_stride = stride, .tokens = c.tokens, .group = c.group,
                           .position = c.positions - c.tokens, .window = c.window, .scale_log2 = 0.2F,
                           .key_dim = c.key_dim, .value_dim = c.value_dim};
        for (const bool tested : {true, false}) {
          AttendMemory& memory = tested ? actual : expected;
          task.keys = memory.keys.blocks.data();
          task.values = memory.values.blocks.data();
          task.scratch = memory.scratch.data();
          (tested ? kv : trusted).attend(task, memory.State());
        }
        ASSERT_TRUE(actual.Intact()) << "type " << type << ", " << c.positions << " positions, offset " << offset;
        // A score of key_dim products of magnitude about 1 passes the softmax twice; sums over the positions.
        const double roundings = 4.0 * c.key_dim + c.positions + 20;
        ExpectNear(actual.maxima, expected.maxima, roundings * kEpsilon, roundings * kEpsilon * c.key_dim);
        ExpectNear(actual.sums, expected.sums, 2 * roundings * c.key_dim * kEpsilon);
        ExpectNear(actual.weighted, expected.weighted, 2 * roundings * c.key_dim * kEpsilon,
                   2 * roundings * c.key_dim * kEpsilon * c.positions);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, VectorTest, ::testing::Range(0, kIsaLevelCount), [](const auto& param) {
  return std::string(IsaLevelName(static_cast<IsaLevel>(param.param)));
});

}  // namespace
}  // namespace pingti::kernels
