#include "decode/event_time.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace rollup::decode {
namespace {

constexpr std::int64_t kMs = 1'775'304'180'123;

std::optional<std::int64_t> ms_of(std::optional<Time> time) {
  return time ? std::optional(to_ms(*time)) : std::nullopt;
}

TEST(EventTimeTest, TheUnitOfAnEpochIsToldByItsMagnitude) {
  EXPECT_EQ(ms_of(time_from_epoch(std::int64_t{1'775'304'180})), kMs - 123);
  EXPECT_EQ(ms_of(time_from_epoch(kMs)), kMs);
  EXPECT_EQ(ms_of(time_from_epoch(kMs * 1000 + 999)), kMs);
  EXPECT_EQ(ms_of(time_from_epoch(kMs * 1'000'000 + 999'999)), kMs);
}

TEST(EventTimeTest, FractionsOfSecondsAreKeptToTheMillisecond) {
  EXPECT_EQ(ms_of(time_from_epoch(1'775'304'180.123)), kMs);
  EXPECT_EQ(ms_of(time_from_epoch(1'775'304'180.1239)), kMs);
  EXPECT_EQ(ms_of(time_from_epoch(1'775'304'180.9999)), kMs - 123 + 999);
}

// Where seconds are just above a power of two, the product with 1000 is finer than they are.
TEST(EventTimeTest, EveryMillisecondComesBackFromSeconds) {
  for (const std::int64_t second :
       {1'080'000'000L, 1'775'304'180L, 2'147'483'648L, 7'289'654'399L}) {
    for (int fraction = 0; fraction < 1000; ++fraction) {
      const std::int64_t ms = second * 1000 + fraction;
      ASSERT_EQ(ms_of(time_from_epoch(static_cast<double>(ms) / 1000)), ms);
    }
  }
}

TEST(EventTimeTest, EpochsMayBeWrittenAsDoubles) {
  EXPECT_EQ(ms_of(time_from_epoch(static_cast<double>(kMs))), kMs);
  EXPECT_EQ(ms_of(time_from_epoch(static_cast<double>(kMs) + 0.75)), kMs);
  EXPECT_EQ(ms_of(time_from_epoch(static_cast<double>(kMs) * 1000)), kMs);
  EXPECT_EQ(ms_of(time_from_epoch(1.775304180e9)), kMs - 123);
}

TEST(EventTimeTest, TheEpochItselfIsATime) {
  EXPECT_EQ(ms_of(time_from_epoch(std::int64_t{0})), 0);
  EXPECT_EQ(ms_of(time_from_epoch(0.0)), 0);
}

TEST(EventTimeTest, NegativeAndAbsurdTimesAreNone) {
  EXPECT_EQ(time_from_epoch(std::int64_t{-1}), std::nullopt);
  EXPECT_EQ(time_from_epoch(-0.5), std::nullopt);
  EXPECT_EQ(time_from_epoch(std::numeric_limits<std::int64_t>::min()), std::nullopt);
  EXPECT_EQ(time_from_epoch(std::numeric_limits<std::int64_t>::max()), std::nullopt);
  EXPECT_EQ(time_from_epoch(1e19), std::nullopt);
  EXPECT_EQ(time_from_epoch(1e300), std::nullopt);
  EXPECT_EQ(time_from_epoch(std::numeric_limits<double>::quiet_NaN()), std::nullopt);
  EXPECT_EQ(time_from_text("2201-01-01T00:00:00Z"), std::nullopt);
  EXPECT_EQ(time_from_text("1969-12-31T23:59:59Z"), std::nullopt);
}

TEST(EventTimeTest, TheYear2200IsTheLast) {
  EXPECT_EQ(ms_of(time_from_epoch(std::int64_t{7'289'654'399})), 7'289'654'399'000);
  EXPECT_EQ(time_from_epoch(std::int64_t{7'289'654'400}), std::nullopt);
  EXPECT_EQ(time_from_epoch(std::int64_t{99'999'999'999}), std::nullopt);
}

TEST(EventTimeTest, MagnitudesMeetWithoutAHole) {
  EXPECT_EQ(ms_of(time_from_epoch(std::int64_t{100'000'000'000})), 100'000'000'000);
  EXPECT_EQ(time_from_epoch(std::int64_t{99'999'999'999'999}), std::nullopt);
  EXPECT_EQ(ms_of(time_from_epoch(std::int64_t{100'000'000'000'000})), 100'000'000'000);
  EXPECT_EQ(ms_of(time_from_epoch(std::int64_t{100'000'000'000'000'000})), 100'000'000'000);
}

TEST(EventTimeTest, TextsAreEpochsOrRfc3339) {
  EXPECT_EQ(ms_of(time_from_text("1775304180")), kMs - 123);
  EXPECT_EQ(ms_of(time_from_text(" 1775304180.123 ")), kMs);
  EXPECT_EQ(ms_of(time_from_text("1775304180123456789")), kMs);
  EXPECT_EQ(ms_of(time_from_text("2026-04-04T14:03:00.123+02:00")), kMs);
}

TEST(EventTimeTest, OtherTextsAreNone) {
  for (const char* text : {"", " ", "now", "12:03", "2026-04-04", "2026-04-04T12:03:00", "1,5",
                           "-5", "1775304180 s", "inf", "nan", "0x10", "99999999999999999999"}) {
    EXPECT_EQ(time_from_text(text), std::nullopt) << text;
  }
  EXPECT_EQ(time_from_text(std::string("1775304180\0", 11)), std::nullopt);
}

}  // namespace
}  // namespace rollup::decode
