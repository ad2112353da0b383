#include "runtime/busy_share.h"

#include <gtest/gtest.h>

namespace pingti::runtime {
namespace {

// Requests of 0.1 s of work, `rate` a second, for so long.
void Load(BusyShare& share, double rate, double seconds) {
  for (double t = 0; t < seconds; t += 1 / rate) share.Note(0.1, 1 / rate);
}

TEST(BusyShare, FollowsARampOfLoadAndForgets) {
  BusyShare share;
  EXPECT_EQ(share.value(), 0);
  Load(share, 1, 60);
  EXPECT_NEAR(share.value(), 0.1, 0.01);
  Load(share, 4, 60);
  EXPECT_NEAR(share.value(), 0.4, 0.01);
  Load(share, 16, 60);
  EXPECT_NEAR(share.value(), 1, 0.01);
  share.Note(0, BusyShare::kMemorySeconds);
  EXPECT_NEAR(share.value(), 1 / 2.718, 0.01);
}

TEST(BusyShare, DoesNotDependOnHowTheTimeIsCut) {
  BusyShare whole;
  BusyShare pieces;
  whole.Note(1, 2);
  for (int i = 0; i < 100; ++i) pieces.Note(0.01, 0.02);
  EXPECT_NEAR(whole.value(), pieces.value(), 1e-12);
}

TEST(BusyShare, StaysAShareWhateverTheClockSays) {
  BusyShare share;
  share.Note(1, 0);
  share.Note(1, -1);
  EXPECT_EQ(share.value(), 0);
  share.Note(5, 1);
  EXPECT_LE(share.value(), 1);
}

}  // namespace
}  // namespace pingti::runtime
