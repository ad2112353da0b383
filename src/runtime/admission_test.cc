#include "runtime/admission.h"

#include <gtest/gtest.h>

#include <memory>

namespace pingti::runtime {
namespace {

class AdmissionTest : public ::testing::Test {
 protected:
  Sequence* Add(const std::string& key, int32_t priority = 0) {
    all_.push_back(std::make_unique<Sequence>());
    Sequence* sequence = all_.back().get();
    sequence->priority = priority;
    sequence->arrival_serial = static_cast<int64_t>(all_.size());
    sequence->share = queue_.Join(key);
    queue_.Add(sequence);
    return sequence;
  }
  // Admits the next one and charges its key.
  Sequence* Take(int64_t tokens) {
    Sequence* next = queue_.Next();
    queue_.Remove(next);
    next->admission_serial = ++serial_;
    next->share->tokens_served += tokens;
    return next;
  }

  AdmissionQueue queue_;
  std::vector<std::unique_ptr<Sequence>> all_;
  int64_t serial_ = 0;
};

TEST_F(AdmissionTest, FirstComeFirstServedWithinAKey) {
  Sequence* first = Add("k");
  Sequence* second = Add("k");
  EXPECT_EQ(Take(1), first);
  EXPECT_EQ(Take(1), second);
  EXPECT_EQ(queue_.Next(), nullptr);
  EXPECT_EQ(queue_.size(), 0);
}

TEST_F(AdmissionTest, LowerPriorityNumbersGoFirst) {
  Add("k", 0);
  Sequence* low = Add("k", 5);
  Sequence* high = Add("other", -3);
  EXPECT_EQ(Take(1), high);
  Take(1);
  EXPECT_EQ(Take(1), low);
}

TEST_F(AdmissionTest, KeysShareTokensNotRequests) {
  // Key a asks for ten times as much at a time: it gets a turn for every ten of b's.
  for (int i = 0; i < 100; ++i) Add("a");
  for (int i = 0; i < 100; ++i) Add("b");
  int64_t served_a = 0;
  int64_t served_b = 0;
  for (int i = 0; i < 55; ++i) {
    const bool is_a = queue_.Next()->share->key == "a";
    Take(is_a ? 1000 : 100);
    (is_a ? served_a : served_b) += is_a ? 1000 : 100;
  }
  EXPECT_LE(std::abs(served_a - served_b), 1000);
}

TEST_F(AdmissionTest, IdleTimeEarnsNoCreditAndDebtIsNotForgotten) {
  Sequence* early = Add("busy");
  Take(10000);
  Sequence* late = Add("late");
  Add("busy");
  EXPECT_EQ(queue_.Next(), late);
  EXPECT_EQ(late->share->tokens_served, 10000);  // level with the only active key, not 10000 behind
  queue_.Leave(early->share);
  Take(1);
  Take(1);
  Sequence* again = Add("busy");
  EXPECT_EQ(again->share->tokens_served, 10001);
}

TEST_F(AdmissionTest, PreemptedOnesComeBackFirstInOrderOfRank) {
  Sequence* first = Add("k");
  Sequence* second = Add("k");
  Add("k");
  Take(1);
  Take(1);
  queue_.AddPreempted(second);
  queue_.AddPreempted(first);
  EXPECT_EQ(queue_.size(), 3);
  EXPECT_EQ(Take(0), first);
  EXPECT_EQ(Take(0), second);
}

TEST_F(AdmissionTest, AnyPlaceInTheQueueMayBeLeft) {
  Sequence* first = Add("k");
  Sequence* middle = Add("k");
  Sequence* last = Add("k");
  queue_.Remove(middle);
  queue_.Leave(middle->share);
  EXPECT_EQ(Take(1), first);
  EXPECT_EQ(Take(1), last);
}

TEST_F(AdmissionTest, BooksOfIdleKeysAreBounded) {
  for (int i = 0; i < 20000; ++i) {
    FairShare* share = queue_.Join("key" + std::to_string(i));
    queue_.Leave(share);
  }
  EXPECT_LE(queue_.shares(), 5000U);
}

}  // namespace
}  // namespace pingti::runtime
