#include "engine/intervals.h"

#include <gtest/gtest.h>

namespace rollup::engine {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(IntervalsTest, NothingIsKnownAtFirst) { EXPECT_EQ(Intervals().hold(), seconds(60)); }

TEST(IntervalsTest, ThreeTimesTheMedian) {
  Intervals intervals;
  intervals.add(minutes(2));
  EXPECT_EQ(intervals.hold(), minutes(6));
  // One outlier is not the median.
  intervals.add(hours(10));
  intervals.add(minutes(2));
  EXPECT_EQ(intervals.hold(), minutes(6));
}

TEST(IntervalsTest, AtLeastAMinute) {
  Intervals intervals;
  for (int i = 0; i < 100; ++i) {
    intervals.add(seconds(1));
  }
  EXPECT_EQ(intervals.hold(), seconds(60));
}

TEST(IntervalsTest, FollowsADeviceWhoseIntervalWasChanged) {
  Intervals intervals;
  for (int i = 0; i < 1000; ++i) {
    intervals.add(minutes(1));
  }
  for (int i = 0; i < 32; ++i) {
    intervals.add(minutes(10));
  }
  EXPECT_EQ(intervals.hold(), minutes(30));
}

TEST(IntervalsTest, AbsurdIntervalsAreCut) {
  Intervals intervals;
  intervals.add(Duration::max());
  EXPECT_EQ(intervals.hold(), 3 * Duration{0xffff'ffff});
  Intervals others;
  others.add(Duration::min());
  EXPECT_EQ(others.hold(), seconds(60));
}

TEST(IntervalsTest, GoOnAsTheyWereAfterARestore) {
  Intervals original;
  Intervals restored;
  for (int i = 0; i < 200; ++i) {
    const Duration interval = seconds(30 + (i * i) % 97);
    original.add(interval);
    restored.add(interval);
    Intervals copy;
    copy.restore(restored.kept(), restored.added(), restored.hold());
    restored = copy;
    ASSERT_EQ(restored.hold(), original.hold()) << i;
  }
}

}  // namespace
}  // namespace rollup::engine
