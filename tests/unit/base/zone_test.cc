#include "base/zone.h"

#include <gtest/gtest.h>

#include <string>

#include "base/text.h"

namespace rollup {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

Zone zone(const char* name) { return Zone::locate(name).value(); }

Time utc(const char* text) { return parse_rfc3339(text).value(); }

std::string day_of(const Zone& zone, const char* time) {
  return format_rfc3339(zone.day_start(utc(time))) + " " + format_rfc3339(zone.day_end(utc(time)));
}

TEST(ZoneTest, UtcNeedsNoDatabase) {
  const Zone zone;
  EXPECT_EQ(zone.name(), "UTC");
  EXPECT_EQ(day_of(zone, "2026-04-04T12:03:00Z"), "2026-04-04T00:00:00Z 2026-04-05T00:00:00Z");
  EXPECT_EQ(day_of(zone, "2026-04-04T00:00:00Z"), "2026-04-04T00:00:00Z 2026-04-05T00:00:00Z");
  EXPECT_EQ(day_of(zone, "1969-12-31T23:00:00Z"), "1969-12-31T00:00:00Z 1970-01-01T00:00:00Z");
}

TEST(ZoneTest, LocatesZonesByName) {
  EXPECT_EQ(zone("Europe/Berlin").name(), "Europe/Berlin");
  EXPECT_TRUE(Zone::locate(""));
}

TEST(ZoneTest, AnUnknownNameIsABadOptionWithASuggestion) {
  const auto misspelt = Zone::locate("Europe/Berln");
  ASSERT_FALSE(misspelt);
  EXPECT_EQ(misspelt.error(),
            (Error{ErrorCode::bad_config, "timezone",
                   "no time zone is called 'Europe/Berln', did you mean 'Europe/Berlin'?"}));
  for (const char* name : {"../../etc/passwd", "/etc/passwd", "Nowhere/Nothing", "zone.tab"}) {
    const auto unknown = Zone::locate(name);
    ASSERT_FALSE(unknown) << name;
    EXPECT_EQ(unknown.error().place, "timezone");
  }
}

TEST(ZoneTest, ADayWithoutAClockChangeHas24Hours) {
  EXPECT_EQ(day_of(zone("Europe/Berlin"), "2026-04-04T12:03:00Z"),
            "2026-04-03T22:00:00Z 2026-04-04T22:00:00Z");
}

TEST(ZoneTest, TheDayOnWhichTheClockIsPutForwardHas23Hours) {  // SEMANTICS 1.2
  EXPECT_EQ(day_of(zone("Europe/Berlin"), "2026-03-29T12:00:00Z"),
            "2026-03-28T23:00:00Z 2026-03-29T22:00:00Z");
}

TEST(ZoneTest, TheDayOnWhichTheClockIsPutBackHas25Hours) {  // SEMANTICS 1.2
  EXPECT_EQ(day_of(zone("Europe/Berlin"), "2026-10-25T00:30:00Z"),
            "2026-10-24T22:00:00Z 2026-10-25T23:00:00Z");
}

TEST(ZoneTest, WhereMidnightIsSkippedTheDayBeginsWithItsFirstInstant) {
  EXPECT_EQ(day_of(zone("America/Sao_Paulo"), "2018-11-04T12:00:00Z"),
            "2018-11-04T03:00:00Z 2018-11-05T02:00:00Z");
  EXPECT_EQ(day_of(zone("America/Sao_Paulo"), "2018-11-04T02:59:59.999Z"),
            "2018-11-03T03:00:00Z 2018-11-04T03:00:00Z");
}

TEST(ZoneTest, AGapThatBeginsBeforeMidnightEndsTheDay) {
  // At 23:30 of 30 March 1919 the clock went forward to 00:30 of the 31st.
  EXPECT_EQ(day_of(zone("America/Toronto"), "1919-03-31T12:00:00Z"),
            "1919-03-31T04:30:00Z 1919-04-01T04:00:00Z");
}

TEST(ZoneTest, WhereMidnightComesTwiceTheDayBeginsWithTheEarlier) {
  EXPECT_EQ(day_of(zone("America/Havana"), "2025-11-02T12:00:00Z"),
            "2025-11-02T04:00:00Z 2025-11-03T05:00:00Z");
}

TEST(ZoneTest, AClockChangeOfHalfAnHourIsExact) {
  EXPECT_EQ(day_of(zone("Australia/Lord_Howe"), "2026-04-04T20:00:00Z"),
            "2026-04-04T13:00:00Z 2026-04-05T13:30:00Z");
}

TEST(ZoneTest, ADayThatAZoneLeftOutDoesNotExist) {
  EXPECT_EQ(day_of(zone("Pacific/Apia"), "2011-12-30T09:00:00Z"),
            "2011-12-29T10:00:00Z 2011-12-30T10:00:00Z");
  EXPECT_EQ(day_of(zone("Pacific/Apia"), "2011-12-30T10:00:00Z"),
            "2011-12-30T10:00:00Z 2011-12-31T10:00:00Z");
}

TEST(ZoneTest, AClockPutBackOverMidnightDoesNotMakeDaysOverlap) {
  // At 00:01 of 29 October 2006 the clock went back to 23:01 of the 28th.
  EXPECT_EQ(day_of(zone("America/St_Johns"), "2006-10-29T03:00:00Z"),
            "2006-10-29T02:30:00Z 2006-10-30T03:30:00Z");
}

// Days are half open, adjoin, and every instant lies in its own (SEMANTICS 1.2).
TEST(ZoneTest, DaysTileTime) {
  for (const char* name :
       {"Europe/Berlin", "America/Sao_Paulo", "America/St_Johns", "America/Havana",
        "Australia/Lord_Howe", "Asia/Beirut", "Pacific/Apia"}) {
    const Zone place = zone(name);
    Time end = place.day_end(utc("2004-12-31T12:00:00Z"));
    for (Time time = end; time < utc("2019-01-01T00:00:00Z"); time += minutes(27)) {
      if (time >= end) {
        ASSERT_EQ(place.day_start(time), end) << name << ' ' << format_rfc3339(time);
        end = place.day_end(time);
        ASSERT_GE(end - place.day_start(time), hours(22));
        ASSERT_LE(end - place.day_start(time), hours(25));
      }
      ASSERT_LE(place.day_start(time), time) << name << ' ' << format_rfc3339(time);
      ASSERT_EQ(place.day_end(time), end) << name << ' ' << format_rfc3339(time);
    }
    ASSERT_EQ(place.day_start(end), end);
  }
}

TEST(ZoneTest, LocalTimesAreWrittenForPeople) {
  EXPECT_EQ(zone("Europe/Berlin").format_local(utc("2026-04-04T22:03:59.999Z")),
            "2026-04-05 00:03");
  EXPECT_EQ(zone("Europe/Berlin").format_local_clock(utc("2026-01-04T12:03:00Z")), "13:03");
  EXPECT_EQ(zone("Asia/Kolkata").format_local_clock(utc("2026-01-04T12:03:00Z")), "17:33");
  EXPECT_EQ(Zone().format_local(utc("2026-04-04T12:03:00Z")), "2026-04-04 12:03");
}

}  // namespace
}  // namespace rollup
