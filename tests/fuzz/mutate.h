// Mutations of byte strings for the fuzz driver. The same seed gives the same inputs on every machine and compiler.
// No globals; a Mutator belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pingti::fuzz {

// splitmix64.
class Random final {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  size_t Below(size_t bound) { return static_cast<size_t>(Next() % bound); }  // bound > 0

 private:
  uint64_t state_;
};

class Mutator final {
 public:
  // `corpus` is not empty; `bytes_max` bounds every input.
  Mutator(std::vector<std::string> corpus, size_t bytes_max);
  // Input number `run` of the endless series that belongs to `seed`.
  std::string Make(uint64_t seed, uint64_t run) const;

 private:
  void Mutate(Random& random, std::string& bytes) const;

  std::vector<std::string> corpus_;
  size_t bytes_max_;
};

}  // namespace pingti::fuzz
