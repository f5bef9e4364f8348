#include "mqtt/pace.h"

#include <gtest/gtest.h>

namespace rollup::mqtt {
namespace {

using std::chrono::milliseconds;

class PaceTest : public ::testing::Test {
 protected:
  // The acknowledgements leave now, and the next message comes `later`.
  bool begins_after(milliseconds later, bool was_waiting = false) {
    pace_.acknowledged(now_);
    now_ += later;
    return pace_.begins(was_waiting, now_);
  }

  Pace pace_;
  Pace::Clock::time_point now_ = Pace::Clock::time_point(std::chrono::hours(1));
};

TEST_F(PaceTest, AMessageOnceInAWhileIsNotUrgent) {
  EXPECT_FALSE(pace_.begins(false, now_));
  EXPECT_FALSE(begins_after(milliseconds(100)));
}

TEST_F(PaceTest, ABrokerThatSendsWhileWeHoldBackDoesNotWaitForUs) {
  EXPECT_FALSE(begins_after(milliseconds(0), true));
}

TEST_F(PaceTest, ABrokerThatSendsAsSoonAsItIsAnsweredWaitsForUs) {
  EXPECT_TRUE(begins_after(milliseconds(1)));
}

TEST_F(PaceTest, NowAndThenItIsSeenWhetherThatIsStillSo) {
  int regular = 0;
  for (int i = 0; i < 99; ++i) {
    regular += begins_after(milliseconds(1)) ? 0 : 1;
  }
  EXPECT_EQ(regular, 3);
}

}  // namespace
}  // namespace rollup::mqtt
