#include "query/step_grid.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "base/text.h"

namespace rollup::query {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Time at(const std::string& text) { return parse_rfc3339(text).value(); }

Zone zone(const std::string& name) { return Zone::locate(name).value(); }

TEST(StepGridTest, StepsBelowADayAreAlignedToTheUtcEpoch) {
  const Zone kathmandu = zone("Asia/Kathmandu");  // UTC+5:45
  const StepGrid grid(hours(6), kathmandu);
  EXPECT_EQ(grid.floor(at("2026-04-04T13:10:00Z")), at("2026-04-04T12:00:00Z"));
  EXPECT_EQ(grid.ceil(at("2026-04-04T13:10:00Z")), at("2026-04-04T18:00:00Z"));
  EXPECT_EQ(grid.ceil(at("2026-04-04T12:00:00Z")), at("2026-04-04T12:00:00Z"));
  EXPECT_EQ(grid.next(at("2026-04-04T12:00:00Z")), at("2026-04-04T18:00:00Z"));
  EXPECT_FALSE(grid.has_local_days());
}

// SEMANTICS 1.2: a day has 23, 24 or 25 hours.
TEST(StepGridTest, DaysAreLocalAndFollowTheClockChanges) {
  const Zone berlin = zone("Europe/Berlin");
  const StepGrid grid(kDay, berlin);
  EXPECT_TRUE(grid.has_local_days());
  const Time spring = grid.floor(at("2026-03-29T12:00:00Z"));
  EXPECT_EQ(spring, at("2026-03-28T23:00:00Z"));
  EXPECT_EQ(grid.next(spring) - spring, hours(23));
  const Time autumn = grid.floor(at("2026-10-25T12:00:00Z"));
  EXPECT_EQ(autumn, at("2026-10-24T22:00:00Z"));
  EXPECT_EQ(grid.next(autumn) - autumn, hours(25));
}

TEST(StepGridTest, WeeksBeginOnLocalMondays) {
  const Zone berlin = zone("Europe/Berlin");
  const StepGrid grid(kDay * 7, berlin);
  // 2026-03-23 is a Monday; the clock changes on the Sunday after it.
  const Time monday = at("2026-03-22T23:00:00Z");
  for (Time time = monday; time < at("2026-03-29T22:00:00Z"); time += hours(1)) {
    ASSERT_EQ(grid.floor(time), monday) << format_rfc3339(time);
  }
  EXPECT_EQ(grid.next(monday), at("2026-03-29T22:00:00Z"));
  EXPECT_EQ(grid.floor(monday - Duration(1)), at("2026-03-15T23:00:00Z"));
}

TEST(StepGridTest, StepsTileTimeWithoutGapsInEveryZone) {
  // Apia left out 2011-12-30; Santiago and Beirut change at midnight.
  for (const char* name : {"UTC", "Europe/Berlin", "America/Santiago", "Asia/Beirut",
                           "Pacific/Apia", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kolkata"}) {
    const Zone there = zone(name);
    for (const int days : {1, 2, 7, 30}) {
      const StepGrid grid(kDay * days, there);
      Time start = grid.floor(at("2011-01-05T07:00:00Z"));
      while (start < at("2013-01-01T00:00:00Z")) {
        const Time end = grid.next(start);
        ASSERT_GT(end, start) << name;
        ASSERT_LE(end - start, kDay * days + hours(2)) << name;
        ASSERT_EQ(grid.floor(start), start) << name << " " << format_rfc3339(start);
        ASSERT_EQ(grid.floor(end - Duration(1)), start) << name << " " << format_rfc3339(start);
        ASSERT_EQ(grid.ceil(end - Duration(1)), end) << name << " " << format_rfc3339(start);
        start = end;
      }
    }
  }
}

TEST(StepGridTest, TheDefaultStepGivesAboutSixtyRows) {
  EXPECT_EQ(default_step(hours(1), minutes(1)), minutes(1));
  EXPECT_EQ(default_step(hours(2), minutes(1)), minutes(5));
  EXPECT_EQ(default_step(hours(24), minutes(1)), minutes(30));
  EXPECT_EQ(default_step(kDay * 7, minutes(1)), hours(3));
  EXPECT_EQ(default_step(kDay * 30, minutes(1)), hours(12));
  EXPECT_EQ(default_step(kDay * 365, minutes(1)), kDay * 7);
  EXPECT_EQ(default_step(kDay * 36'500, minutes(1)), kDay * 30);
  EXPECT_EQ(default_step(seconds(30), seconds(1)), seconds(1));
  EXPECT_EQ(default_step(minutes(10), minutes(15)), minutes(15));
}

TEST(StepGridTest, TheDefaultStepIsAMultipleOfTheResolution) {
  for (const Duration resolution :
       {Duration(seconds(1)), Duration(seconds(8)), Duration(seconds(450)), Duration(minutes(20)),
        Duration(hours(1))}) {
    for (Duration range = minutes(1); range < kDay * 3000; range = range * 3 / 2) {
      const Duration step = default_step(range, resolution);
      ASSERT_GE(step, resolution);
      ASSERT_EQ(step % resolution, Duration(0));
      if (range <= kDay * 1800) {
        ASSERT_LE((range + step - Duration(1)) / step, 60) << format_duration(range);
      }
    }
  }
}

TEST(StepGridTest, TheRoundStepBelowALimit) {
  EXPECT_EQ(round_step_below(minutes(59), minutes(1)), Duration(minutes(30)));
  EXPECT_EQ(round_step_below(kDay * 1000, minutes(1)), kDay * 30);
  EXPECT_EQ(round_step_below(minutes(8), seconds(450)), Duration(seconds(450)));
  EXPECT_EQ(round_step_below(seconds(1), minutes(1)), std::nullopt);
}

}  // namespace
}  // namespace rollup::query
