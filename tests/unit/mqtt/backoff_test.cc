#include "mqtt/backoff.h"

#include <gtest/gtest.h>

namespace rollup::mqtt {
namespace {

using std::chrono::seconds;

// SEMANTICS 8.5.
TEST(BackoffTest, PausesDoubleFromOneSecondToAMinute) {
  Backoff backoff(seconds(1), seconds(60));
  std::vector<Duration::rep> pauses;
  for (int i = 0; i < 8; ++i) {
    pauses.push_back(backoff.next(0.5).count());
  }
  EXPECT_EQ(pauses,
            (std::vector<Duration::rep>{1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000}));
}

TEST(BackoffTest, ChanceMovesAPauseByAFifthAndNeverOverTheMost) {
  EXPECT_EQ(Backoff(seconds(10), seconds(60)).next(0.0), seconds(8));
  EXPECT_LT(Backoff(seconds(10), seconds(60)).next(0.999), seconds(12));
  EXPECT_GT(Backoff(seconds(10), seconds(60)).next(0.999), Duration(11'900));
  EXPECT_EQ(Backoff(seconds(60), seconds(60)).next(0.999), seconds(60));
}

TEST(BackoffTest, ResetBeginsAgain) {
  Backoff backoff(seconds(1), seconds(60));
  backoff.next(0.5);
  backoff.next(0.5);
  backoff.reset();
  EXPECT_EQ(backoff.next(0.5), seconds(1));
}

}  // namespace
}  // namespace rollup::mqtt
