// Query::history()
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "query/step_grid.h"
#include "unit/query/query_fixture.h"

namespace rollup::query {
namespace {

using Values = std::vector<std::optional<double>>;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kKitchen = "home/kitchen/temperature";

class HistoryQueryTest : public QueryFixture {
 protected:
  HistoryQueryTest() {
    request_.series = {"temperature", "ejabberd", kKitchen, ""};
    request_.statistics = {Statistic::count, Statistic::sum, Statistic::avg};
    request_.max = 5000;
  }

  HistoryAnswer ask(Time time) const {
    Result<HistoryAnswer> answer = query().history(request_, now(time));
    EXPECT_TRUE(answer) << answer.error().place << ": " << answer.error().message;
    return answer ? *std::move(answer) : HistoryAnswer{};
  }

  Error error(Time time) const {
    const Result<HistoryAnswer> answer = query().history(request_, now(time));
    EXPECT_FALSE(answer);
    return answer ? Error{} : answer.error();
  }

  static Values column(const HistoryAnswer& answer, std::size_t index) {
    Values values;
    for (const HistoryRow& row : answer.rows) {
      values.push_back(row.values.at(index));
    }
    return values;
  }

  static double total(const HistoryAnswer& answer, std::size_t index) {
    double sum = 0;
    for (const std::optional<double>& value : column(answer, index)) {
      sum += value.value_or(0);
    }
    return sum;
  }

  HistoryRequest request_;
};

TEST_F(HistoryQueryTest, SealedAndOpenBucketsAreCountedOnceEachInEveryTier) {
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-02T21:00:00Z");
  const Time to = at("2026-04-04T12:37:10Z");
  // Every 20 s, 1, 2, 3, …; the last ones are in buckets that are not sealed.
  const auto samples = static_cast<double>((to - from) / seconds(20) + 1);
  observe_all(id, from, to, seconds(20), 1);
  for (const bool is_stored : {false, true}) {
    if (is_stored) {
      flush();
    }
    for (const Duration step : {Duration(minutes(1)), Duration(minutes(10)), Duration(hours(1)),
                                Duration(hours(5)), kDay, kDay * 7}) {
      request_.from = from;
      request_.step = step;
      const HistoryAnswer answer = ask(to);
      EXPECT_EQ(total(answer, 0), samples) << format_duration(step);
      EXPECT_EQ(total(answer, 1), samples * (samples + 1) / 2) << format_duration(step);
      EXPECT_EQ(answer.next, "");
    }
  }
}

TEST_F(HistoryQueryTest, RowsAreMergedFromIntegralsAndNeverFromAverages) {
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-04T10:00:00Z");
  // 10 for 20 minutes, 40 for 40 minutes.
  for (Time time = from; time < from + hours(1); time += minutes(2)) {
    advance(time);
    observe(id, time, time < from + minutes(20) ? 10 : 40);
  }
  advance(from + hours(2));
  request_.from = from;
  request_.to = from + hours(1);
  request_.step = hours(1);
  request_.statistics = {Statistic::avg,   Statistic::min,  Statistic::max,
                         Statistic::first, Statistic::last, Statistic::count};
  const HistoryAnswer answer = ask(from + hours(2));
  ASSERT_EQ(answer.rows.size(), 1u);
  EXPECT_EQ(answer.rows[0], (HistoryRow{from, {30.0, 10.0, 40.0, 10.0, 40.0, 30.0}}));
}

TEST_F(HistoryQueryTest, TheAnswerDescribesItself) {
  config_.streams[0].fields[0].unit = "°C";
  config_.streams[0].fields[0].title = "Kitchen";
  start();
  const SeriesId id = series(kKitchen);
  const Time time = at("2026-04-04T11:58:00Z");
  observe(id, time, 21.37);
  const HistoryAnswer answer = ask(time + minutes(1));
  EXPECT_EQ(answer.label,
            (SeriesLabel{kKitchen, "temperature", "ejabberd", kKitchen, "", "°C", "Kitchen"}));
  EXPECT_EQ(answer.decimals, 2);
  EXPECT_EQ(answer.step, minutes(30));
  EXPECT_EQ(answer.from, at("2026-04-03T11:30:00Z"));
  EXPECT_EQ(answer.to, at("2026-04-04T12:00:00Z"));
  EXPECT_EQ(answer.rows.size(), 49u);
  EXPECT_EQ(answer.statistics, request_.statistics);
}

// SEMANTICS 2.4
TEST_F(HistoryQueryTest, ARowIsKnownIfHalfOfItIsAndItsCountIsGivenAnyway) {
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-04T08:00:00Z");
  observe_all(id, from, from + hours(1), minutes(1));
  // 28 minutes and then 5 of hold: enough. 20 and 5: not enough. Then nothing at all.
  observe_all(id, from + hours(1), from + hours(1) + minutes(28), minutes(1));
  observe_all(id, from + hours(2), from + hours(2) + minutes(20), minutes(1));
  advance(from + hours(6));
  request_.from = from;
  request_.to = from + hours(4);
  request_.step = hours(1);
  const HistoryAnswer answer = ask(from + hours(6));
  EXPECT_EQ(column(answer, 0), (Values{60.0, 28.0, 20.0, 0.0}));
  const Values averages = column(answer, 2);
  EXPECT_TRUE(averages.at(0));
  EXPECT_TRUE(averages.at(1));
  EXPECT_EQ(averages.at(2), std::nullopt);
  EXPECT_EQ(averages.at(3), std::nullopt);
  EXPECT_EQ(column(answer, 1).at(2), std::nullopt);
}

// SEMANTICS 2.4
TEST_F(HistoryQueryTest, OfTheFirstRowOnlyThePartSinceTheFirstSampleCounts) {
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-04T08:00:00Z");
  observe_all(id, from + minutes(50), from + minutes(60), minutes(1), 20);
  advance(from + hours(3));
  request_.from = from - hours(1);
  request_.to = from + hours(1);
  request_.step = hours(1);
  const HistoryAnswer answer = ask(from + hours(3));
  EXPECT_EQ(column(answer, 0), (Values{0.0, 10.0}));
  EXPECT_EQ(column(answer, 2), (Values{std::nullopt, 24.5}));
}

TEST_F(HistoryQueryTest, OfTheCurrentRowOnlyThePartUpToNowCounts) {
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-04T08:00:00Z");
  observe_all(id, from, from + hours(1) + minutes(3), minutes(1));
  request_.from = from;
  request_.step = hours(1);
  EXPECT_TRUE(column(ask(from + hours(1) + minutes(3)), 2).at(1));
  // Three minutes and five of hold are less than half of twenty.
  EXPECT_EQ(column(ask(from + hours(1) + minutes(20)), 2).at(1), std::nullopt);
}

// SEMANTICS 1.2
TEST_F(HistoryQueryTest, DayRowsAreLocalDaysOverAClockChange) {
  config_.streams[0].hold = hours(2);
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-03-27T23:00:00Z");
  observe_all(id, from, from + hours(24 * 3), hours(1));
  request_.from = from;
  request_.to = at("2026-03-30T22:00:00Z");
  request_.step = kDay;
  const HistoryAnswer answer = ask(at("2026-04-01T12:00:00Z"));
  ASSERT_EQ(answer.rows.size(), 3u);
  EXPECT_EQ(answer.rows[0].start, at("2026-03-27T23:00:00Z"));
  EXPECT_EQ(answer.rows[1].start, at("2026-03-28T23:00:00Z"));
  EXPECT_EQ(answer.rows[2].start, at("2026-03-29T22:00:00Z"));
  EXPECT_EQ(column(answer, 0), (Values{24.0, 23.0, 24.0}));
}

TEST_F(HistoryQueryTest, WhereTheFineTierIsExpiredItsRowsAreGapsAndTheHoursRemain) {
  config_.streams[0].keep[1] = hours(12);
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-01T00:00:00Z");
  const Time to = from + hours(48);
  observe_all(id, from, to, minutes(1));
  flush();
  expire(to);
  request_.from = from;
  request_.step = minutes(30);
  const HistoryAnswer fine = ask(to);
  EXPECT_EQ(fine.rows.front().values.at(2), std::nullopt);
  EXPECT_TRUE(fine.rows.back().values.at(2));
  request_.step = hours(1);
  const HistoryAnswer hourly = ask(to);
  EXPECT_EQ(hourly.rows.size(), 48u);
  EXPECT_EQ(column(hourly, 0), Values(48, 60.0));
  EXPECT_TRUE(hourly.rows.front().values.at(2));
}

TEST_F(HistoryQueryTest, TiersThatAreNotKeptAreMadeOfFinerOnes) {
  config_.streams[0].keep[2] = Duration(0);
  config_.streams[0].keep[3] = Duration(0);
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-01T22:00:00Z");
  const Time to = from + hours(50);
  observe_all(id, from, to, minutes(1));
  flush();
  expire(to + hours(1));
  request_.from = from;
  request_.step = hours(5);
  EXPECT_EQ(total(ask(to), 0), 50.0 * 60);
  request_.step = kDay;
  EXPECT_EQ(column(ask(to), 0), (Values{1440.0, 1440.0, 120.0}));
}

// As after a configuration that did not keep hours was changed to one that does.
TEST_F(HistoryQueryTest, WhereTheCoarseTierHasAHoleTheFinerOneFillsIt) {
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-01T00:00:00Z");
  const auto fine = [&](Time start) {
    Bucket bucket{start, start + kMinute, 1, {}};
    bucket.aggregate.add_sample(start, 5);
    bucket.aggregate.add_held(5, kMinute);
    return bucket;
  };
  Bucket hour{from, from + kHour, 1, {}};
  for (Time time = from; time < from + hours(3); time += kMinute) {
    sealed_->append(engine_->series(id).key, Tier::fine, fine(time));
    if (time < from + hours(1)) {
      hour.aggregate.merge(fine(time).aggregate);
    }
  }
  sealed_->append(engine_->series(id).key, Tier::hour, hour);
  request_.from = from;
  request_.to = from + hours(3);
  request_.step = hours(1);
  const HistoryAnswer answer = ask(from + hours(10));
  EXPECT_EQ(column(answer, 0), (Values{60.0, 60.0, 60.0}));
  EXPECT_EQ(column(answer, 2), (Values{5.0, 5.0, 5.0}));
}

TEST_F(HistoryQueryTest, PagesOfAnySizeJoinToTheWholeAnswerWhileTimePasses) {
  start();
  const SeriesId id = series(kKitchen);
  const Time to = at("2026-04-04T12:37:10Z");
  observe_all(id, to - hours(30), to - minutes(40), minutes(1));
  advance(to);
  request_.last = hours(24);
  const HistoryAnswer whole = ask(to);
  ASSERT_EQ(whole.rows.size(), 49u);
  for (const std::size_t max : {1u, 7u, 48u, 49u, 50u}) {
    request_.max = max;
    request_.after.clear();
    std::vector<HistoryRow> rows;
    std::string spark;
    Time time = to;
    for (;;) {
      const HistoryAnswer page = ask(time);
      EXPECT_LE(page.rows.size(), max);
      EXPECT_EQ(page.from, whole.from);
      EXPECT_EQ(page.to, whole.to);
      EXPECT_EQ(page.step, whole.step);
      rows.insert(rows.end(), page.rows.begin(), page.rows.end());
      if (page.next.empty()) {
        break;
      }
      request_.after = page.next;
      time += seconds(1);
    }
    EXPECT_EQ(rows, whole.rows) << max;
  }
}

TEST_F(HistoryQueryTest, TheLimitOfRowsBoundsAPage) {
  config_.limits.rows = 10;
  start();
  series(kKitchen);
  request_.max = std::numeric_limits<std::size_t>::max();
  const HistoryAnswer answer = ask(at("2026-04-04T12:00:00Z"));
  EXPECT_EQ(answer.rows.size(), 10u);
  EXPECT_NE(answer.next, "");
}

TEST_F(HistoryQueryTest, ThePageEndsWhereItsWorkDoes) {
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-04T00:00:00Z");
  observe_all(id, from, from + hours(2), minutes(1));
  request_.from = from;
  request_.to = from + hours(2);
  request_.step = minutes(30);
  const HistoryAnswer whole = ask(from + hours(3));
  const Query bounded(*engine_, *sealed_, 70);
  std::vector<HistoryRow> rows;
  std::vector<std::size_t> sizes;
  do {
    const Result<HistoryAnswer> page = bounded.history(request_, now(from + hours(3)));
    ASSERT_TRUE(page) << page.error().message;
    rows.insert(rows.end(), page->rows.begin(), page->rows.end());
    sizes.push_back(page->rows.size());
    request_.after = page->next;
  } while (!request_.after.empty());
  EXPECT_EQ(rows, whole.rows);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 2}));
}

TEST_F(HistoryQueryTest, ARowThatNeedsMoreWorkThanAPageMayIsRefusedWithAStepThatWouldDo) {
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-04T00:00:00Z");
  observe_all(id, from, from + hours(2), minutes(1));
  request_.from = from;
  request_.step = minutes(30);
  const Query bounded(*engine_, *sealed_, 20);
  const Result<HistoryAnswer> answer = bounded.history(request_, now(from + hours(3)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error(),
            (Error{ErrorCode::too_large, "step",
                   "a row of this step is made of more than 20 buckets, 15m would do"}));
  request_.step = minutes(15);
  EXPECT_TRUE(bounded.history(request_, now(from + hours(3))));
}

TEST_F(HistoryQueryTest, TheCurveHasOneCharacterARowAndBlanksForGaps) {
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-04T00:00:00Z");
  observe(id, from, 0);
  advance(from + minutes(5));
  observe(id, from + minutes(20), 7);
  advance(from + hours(1));
  request_.from = from;
  request_.to = from + minutes(30);
  request_.step = minutes(5);
  request_.statistics = {Statistic::max, Statistic::count};
  EXPECT_EQ(ask(from + hours(1)).spark, "▁   █ ");
  request_.statistics = {};
  const HistoryAnswer bare = ask(from + hours(1));
  EXPECT_EQ(bare.spark, "▁   █ ");
  EXPECT_EQ(bare.statistics, (std::vector{Statistic::avg, Statistic::min, Statistic::max}));
  EXPECT_EQ(bare.rows.at(0), (HistoryRow{from, {0, 0, 0}}));
}

TEST_F(HistoryQueryTest, IncreasesOfAnyStepAddUpToTheTotal) {  // SEMANTICS 3.1
  config_.streams[0].fields[0].kind = Kind::counter;
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-02T21:00:00Z");
  const Time to = at("2026-04-04T12:37:10Z");
  // Every 20 s, 1, 2, 3, …
  const auto total_increase = static_cast<double>((to - from) / seconds(20));
  observe_all(id, from, to, seconds(20), 1);
  request_.statistics = {Statistic::increase};
  for (const bool is_stored : {false, true}) {
    if (is_stored) {
      flush();
    }
    for (const Duration step : {Duration(minutes(1)), Duration(minutes(10)), Duration(hours(1)),
                                Duration(hours(5)), kDay, kDay * 7}) {
      request_.from = from;
      request_.step = step;
      EXPECT_EQ(total(ask(to), 0), total_increase) << format_duration(step);
    }
  }
}

TEST_F(HistoryQueryTest, AStatisticThatTheSeriesDoesNotKeepIsRefusedWithThoseItHas) {
  config_.streams[0].fields[0].kind = Kind::counter;
  start();
  series(kKitchen);
  const Time time = at("2026-04-04T12:00:00Z");
  request_.statistics = {Statistic::count, Statistic::avg};
  EXPECT_EQ(error(time).place, "aggregates");
  EXPECT_EQ(error(time).message,
            "the series is a counter and has no avg. It has: count, increase, rate, resets");
  request_.statistics = {};
  EXPECT_EQ(ask(time).statistics, (std::vector{Statistic::increase, Statistic::rate}));
}

TEST_F(HistoryQueryTest, WhatWasKeptOfAnotherKindIsNoAnswer) {  // SEMANTICS 3.6
  start();
  const Time from = at("2026-04-04T10:00:00Z");
  observe_all(series(kKitchen), from, from + hours(1), seconds(20), 1);
  advance(from + hours(2));
  flush();
  config_.streams[0].fields[0].kind = Kind::counter;
  start();
  series(kKitchen);
  request_.statistics = {Statistic::increase};
  request_.from = from;
  request_.to = from + hours(1);
  request_.step = hours(1);
  EXPECT_EQ(column(ask(from + hours(2)), 0), Values{std::nullopt});
}

TEST_F(HistoryQueryTest, StreamsOfOneNameAreToldApartByTheKey) {
  config_.streams.push_back(stream_of("kitchen", kKitchen));
  start();
  series(kKitchen);
  series(kKitchen, "kitchen");
  const Time time = at("2026-04-04T12:00:00Z");
  EXPECT_EQ(ask(time).label.stream, "temperature");
  request_.series.stream = "kitchen";
  EXPECT_EQ(ask(time).label.stream, "kitchen");
}

TEST_F(HistoryQueryTest, AKeyWithoutASeriesIsNotFound) {
  start();
  series(kKitchen);
  for (const SeriesKey& key :
       {SeriesKey{"temperature", "ejabberd", "home/cellar/temperature", ""},
        SeriesKey{"other", "ejabberd", kKitchen, ""},
        SeriesKey{"temperature", "other", kKitchen, ""},
        SeriesKey{"temperature", "ejabberd", "home/kitchen", "temperature"}, SeriesKey{}}) {
    request_.series = key;
    EXPECT_EQ(error(at("2026-04-04T12:00:00Z")).code, ErrorCode::not_found);
    EXPECT_EQ(error(at("2026-04-04T12:00:00Z")).place, "series");
  }
}

TEST_F(HistoryQueryTest, WrongQuestionsAreRefusedWithTheirField) {
  start();
  series(kKitchen);
  const Time time = at("2026-04-04T12:00:00Z");
  request_.max = 0;
  EXPECT_EQ(error(time).place, "max");
  request_.max = 1;
  request_.statistics.assign(std::size(kStatistics) + 1, Statistic::avg);
  EXPECT_EQ(error(time).place, "aggregates");
  request_.statistics.clear();
  request_.step = seconds(30);
  EXPECT_EQ(error(time).place, "step");
  request_.step.reset();
  request_.after = "yesterday";
  EXPECT_EQ(error(time).place, "after");
}

TEST_F(HistoryQueryTest, ASeriesWithoutASampleHasRowsOfGaps) {
  start();
  series(kKitchen);
  const HistoryAnswer answer = ask(at("2026-04-04T12:00:00Z"));
  EXPECT_EQ(answer.rows.size(), 48u);
  EXPECT_EQ(total(answer, 0), 0);
  EXPECT_EQ(answer.spark, std::string(48, ' '));
}

TEST_F(HistoryQueryTest, AClockThatWentBackLosesNothing) {
  start();
  const SeriesId id = series(kKitchen);
  const Time from = at("2026-04-04T00:00:00Z");
  observe_all(id, from, from + hours(4), minutes(1));
  request_.from = from;
  request_.step = hours(1);
  const HistoryAnswer answer = ask(from + hours(2));
  EXPECT_EQ(column(answer, 0), (Values{60.0, 60.0}));
}

}  // namespace
}  // namespace rollup::query
