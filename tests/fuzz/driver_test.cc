#include <gtest/gtest.h>

#include <set>
#include <string>

#include "mutate.h"

namespace pingti::fuzz {
namespace {

TEST(Mutator, SameSeedGivesTheSameInputs) {
  const Mutator mutator({"hello world", "{\"a\": [1, 2]}"}, 1024);
  for (uint64_t run = 0; run < 100; ++run) EXPECT_EQ(mutator.Make(7, run), mutator.Make(7, run));
  EXPECT_NE(mutator.Make(7, 1), mutator.Make(8, 1));
}

TEST(Mutator, InputsAreManyAndBounded) {
  const Mutator mutator({std::string(300, 'a')}, 512);
  std::set<std::string> seen;
  for (uint64_t run = 0; run < 1000; ++run) {
    seen.insert(mutator.Make(1, run));
    EXPECT_LE(seen.rbegin()->size(), 512U);
  }
  EXPECT_GT(seen.size(), 900U);
}

TEST(Mutator, AnEmptyCorpusFileGrows) {
  const Mutator mutator({""}, 64);
  std::set<std::string> seen;
  for (uint64_t run = 0; run < 1000; ++run) seen.insert(mutator.Make(1, run));
  EXPECT_GT(seen.size(), 20U);
}

// The series is part of every bug report ("seed 1, run 5"): it must not change with the compiler.
TEST(Random, KnownSeries) {
  Random random(1);
  EXPECT_EQ(random.Next(), 0x910A2DEC89025CC1U);
  EXPECT_EQ(random.Next(), 0xBEEB8DA1658EEC67U);
}

}  // namespace
}  // namespace pingti::fuzz
