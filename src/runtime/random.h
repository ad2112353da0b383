// Random numbers that are a function of (seed, choice, position, draw): results do not depend on
// batching, preemption or the order in which requests are served. Free functions, no state.
#pragma once

#include <cstdint>

namespace pingti::runtime {

// A bijection of 64 bits with full avalanche (the finaliser of SplitMix64, Steele et al. 2014).
inline uint64_t MixBits(uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

struct RandomPoint {
  uint64_t seed = 0;
  int32_t choice = 0;
  int32_t position = 0;  // tokens of the answer before this one
};

// Uniform in [0, 1), 53 bits.
inline double UniformAt(const RandomPoint& point, uint32_t draw) {
  uint64_t bits = MixBits(point.seed);
  bits = MixBits(bits ^ static_cast<uint32_t>(point.choice));
  bits =
      MixBits(bits ^ (static_cast<uint64_t>(draw) << 32 | static_cast<uint32_t>(point.position)));
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace pingti::runtime
