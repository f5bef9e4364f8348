#include "base/time.h"

#include <gtest/gtest.h>

namespace rollup {
namespace {

using std::chrono::minutes;

TEST(TimeTest, FloorAndCeilAreMultiplesOfTheStepSinceTheEpoch) {  // SEMANTICS 1.2
  EXPECT_EQ(to_ms(floor_to(time_from_ms(119'999), minutes(1))), 60'000);
  EXPECT_EQ(to_ms(ceil_to(time_from_ms(60'001), minutes(1))), 120'000);
}

TEST(TimeTest, AMultipleIsItsOwnFloorAndCeil) {
  EXPECT_EQ(to_ms(floor_to(time_from_ms(120'000), minutes(1))), 120'000);
  EXPECT_EQ(to_ms(ceil_to(time_from_ms(120'000), minutes(1))), 120'000);
}

TEST(TimeTest, BeforeTheEpochTheFloorIsStillTheEarlierOne) {
  EXPECT_EQ(to_ms(floor_to(time_from_ms(-1), minutes(1))), -60'000);
  EXPECT_EQ(to_ms(ceil_to(time_from_ms(-1), minutes(1))), 0);
  EXPECT_EQ(to_ms(floor_to(time_from_ms(-60'000), minutes(1))), -60'000);
}

}  // namespace
TEST(TimeTest, ThePresentOfAPastMomentStaysBetweenWhatIsDoneAndNow) {
  const Now now{time_from_ms(100'000), Duration{5'000}};
  const Now done{time_from_ms(99'000), Duration{4'500}};
  EXPECT_EQ(at_wall(time_from_ms(99'800), now, done), (Now{time_from_ms(99'800), Duration{4'800}}));
  // As far back as the uptime goes.
  EXPECT_EQ(at_wall(time_from_ms(99'200), now, done), (Now{time_from_ms(99'200), Duration{4'500}}));
  EXPECT_EQ(at_wall(time_from_ms(1), now, done), done);
  EXPECT_EQ(at_wall(time_from_ms(200'000), now, done), now);
  // A clock that was set back, and an uptime that is ahead: never after now.
  const Now ahead{time_from_ms(300'000), Duration{9'000}};
  EXPECT_EQ(at_wall(time_from_ms(250'000), now, ahead), now);
  EXPECT_EQ(at_wall(time_from_ms(1), now, ahead), now);
}

}  // namespace rollup
