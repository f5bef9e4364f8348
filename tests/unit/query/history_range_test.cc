#include "query/history_range.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <random>
#include <string>

#include "base/text.h"

namespace rollup::query {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

Time at(const std::string& text) { return parse_rfc3339(text).value(); }

const Time kNow = at("2026-04-04T12:34:56Z");

Result<HistoryRange> range(const HistoryRequest& request, Time now = kNow) {
  return range_of(request, minutes(1), Zone(), now);
}

std::string place_of_error(const HistoryRequest& request) {
  const Result<HistoryRange> refused = range(request);
  EXPECT_FALSE(refused);
  if (refused) {
    return "";
  }
  EXPECT_EQ(refused.error().code, ErrorCode::bad_request);
  EXPECT_FALSE(refused.error().message.empty());
  return refused.error().place;
}

TEST(HistoryRangeTest, NothingGivenMeansTheLastDay) {
  const HistoryRange day = range({}).value();
  EXPECT_EQ(day.step, minutes(30));
  EXPECT_EQ(day.from, at("2026-04-03T12:30:00Z"));
  EXPECT_EQ(day.to, at("2026-04-04T13:00:00Z"));
  EXPECT_EQ(day.next, day.from);
}

TEST(HistoryRangeTest, BoundsMoveOutwardsToWholeSteps) {
  HistoryRequest request;
  request.from = at("2026-04-01T10:59:59Z");
  request.to = at("2026-04-01T13:00:01Z");
  request.step = hours(1);
  const HistoryRange moved = range(request).value();
  EXPECT_EQ(moved.from, at("2026-04-01T10:00:00Z"));
  EXPECT_EQ(moved.to, at("2026-04-01T14:00:00Z"));
  request.from = moved.from;
  request.to = moved.to;
  EXPECT_EQ(range(request).value(), moved);
}

TEST(HistoryRangeTest, TheEndIsNeverAfterTheCurrentStep) {
  HistoryRequest request;
  request.from = at("2026-04-04T10:00:00Z");
  request.to = at("2030-01-01T00:00:00Z");
  request.step = hours(1);
  EXPECT_EQ(range(request).value().to, at("2026-04-04T13:00:00Z"));
  EXPECT_EQ(range(request, at("2026-04-04T13:00:00Z")).value().to, at("2026-04-04T13:00:00Z"));
}

TEST(HistoryRangeTest, LastCountsBackFromTo) {
  HistoryRequest request;
  request.to = at("2026-04-01T00:00:00Z");
  request.last = hours(2);
  request.step = minutes(10);
  const HistoryRange found = range(request).value();
  EXPECT_EQ(found.from, at("2026-03-31T22:00:00Z"));
  EXPECT_EQ(found.to, at("2026-04-01T00:00:00Z"));
}

TEST(HistoryRangeTest, ALongLastBeginsWithTheEpoch) {
  HistoryRequest request;
  request.last = hours(24) * 36'500;
  const HistoryRange found = range(request).value();
  EXPECT_LE(found.from, time_from_ms(0));
  EXPECT_GT(found.from, time_from_ms(0) - found.step);
}

TEST(HistoryRangeTest, WrongFieldsAreNamed) {
  const Time far = Time::max();
  const Time early = Time::min();
  HistoryRequest request;
  request.from = far;
  EXPECT_EQ(place_of_error(request), "from");
  request.from = early;
  EXPECT_EQ(place_of_error(request), "from");
  request = {};
  request.to = far;
  EXPECT_EQ(place_of_error(request), "to");
  request.to = early;
  EXPECT_EQ(place_of_error(request), "to");
  request = {};
  request.from = kNow;
  EXPECT_EQ(place_of_error(request), "from");
  request.from = at("2026-04-02T00:00:00Z");
  request.to = at("2026-04-01T00:00:00Z");
  EXPECT_EQ(place_of_error(request), "from");
  request = {};
  request.from = at("2026-04-01T00:00:00Z");
  request.last = hours(1);
  EXPECT_EQ(place_of_error(request), "last");
  request = {};
  for (const Duration last : {Duration(0), Duration(-1), Duration::max(), Duration::min()}) {
    request.last = last;
    EXPECT_EQ(place_of_error(request), "last");
  }
  request = {};
  for (const Duration step : {Duration(0), Duration(-60'000), Duration(1000), Duration(90'000),
                              Duration(hours(24) * 3651), Duration::max(), Duration::min()}) {
    request.step = step;
    EXPECT_EQ(place_of_error(request), "step");
  }
  request.step = Duration(90'000);
  EXPECT_EQ(range(request).error().message,
            "expected a multiple of the stream's resolution 1m, got 1m30s");
}

TEST(HistoryRangeTest, ACursorGoesOnWithTheSameRangeWhateverTheTimeIs) {
  HistoryRequest request;
  request.last = hours(24);
  HistoryRange first = range(request).value();
  first.next += first.step * 7;
  request.after = cursor_of(first);
  EXPECT_EQ(range(request, kNow + hours(5)).value(), first);
  // What else is asked for does not matter then.
  request.last = hours(1);
  request.step = hours(1);
  EXPECT_EQ(range(request).value(), first);
}

TEST(HistoryRangeTest, HostileCursorsAreRefused) {
  const HistoryRange good = range({}).value();
  HistoryRequest request;
  const auto refuse = [&request](const std::string& cursor) {
    request.after = cursor;
    EXPECT_EQ(place_of_error(request), "after") << cursor;
  };
  for (const char* cursor : {"0",
                             "x",
                             ".",
                             "...",
                             "1.2.3",
                             "1.2.3.4",
                             "1.2.3.4.5",
                             "0.0.60000.0",
                             "0.0.60000.-60000",
                             "-1.0.60000.60000",
                             "60000.0.60000.60000",
                             "1.0.60000.60000",
                             "0.1.60000.60000",
                             "0.0.60001.60000",
                             "0.0.60000.60000 ",
                             " 0.0.60000.60000",
                             "0.0.60000.60000.",
                             "0.0.99999999999999999999.60000",
                             "0.0.9223372036854775807.60000",
                             "-9223372036854775808.-9223372036854775808.60000.60000",
                             "0.0.60000.9223372036854775807",
                             "0.0.60000.9223372036854720000"}) {
    refuse(cursor);
  }
  HistoryRange bad = good;
  bad.next = good.to;
  refuse(cursor_of(bad));
  bad.next = good.from - good.step;
  refuse(cursor_of(bad));
  bad = good;
  bad.to += bad.step;
  refuse(cursor_of(bad));
  refuse(cursor_of(good) + std::string(1, '\0'));
}

TEST(HistoryRangeTest, ChangedCursorsAreRefusedOrGiveAnOrderedRange) {
  const std::string good = cursor_of(range({}).value());
  std::mt19937 random(20'260'406);
  HistoryRequest request;
  for (int round = 0; round < 20'000; ++round) {
    request.after = good;
    for (int change = 0; change < 2; ++change) {
      request.after[random() % good.size()] = "0123456789.-"[random() % 12];
    }
    if (const Result<HistoryRange> found = range(request)) {
      ASSERT_LE(found->from, found->next);
      ASSERT_LT(found->next, found->to);
      ASSERT_GT(found->step, Duration(0));
    }
  }
}

}  // namespace
}  // namespace rollup::query
