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
}  // namespace rollup
