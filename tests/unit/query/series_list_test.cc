// Query::series()
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/query/query_fixture.h"

namespace rollup::query {
namespace {

using Names = std::vector<std::string>;

class SeriesListTest : public QueryFixture {
 protected:
  SeriesListTest() {
    Stream other = stream_of("garden", "home/garden/#");
    Field temp;
    temp.name = "temp";
    temp.unit = "°C";
    temp.title = "Greenhouse";
    Field wet;
    wet.name = "wet";
    other.fields = {temp, wet};
    config_.streams.push_back(other);
  }

  void SetUp() override {
    start();
    series("home/kitchen/temperature");
    series("home/bath/temperature");
    series("home/garden/temperature");
    series("home/garden/temperature", "garden", "temp");
    series("home/garden/a", "garden", "wet");
    series("home/garden/a", "garden", "temp");
  }

  Names names(const std::string& filter) const {
    const Result<SeriesAnswer> answer =
        query().series({.filter = filter, .after = "", .max = 100}, now(kNow));
    EXPECT_TRUE(answer);
    Names names;
    for (const SeriesRow& row : answer->rows) {
      names.push_back(row.label.series);
    }
    EXPECT_EQ(answer->next, "");
    return names;
  }

  static inline const Time kNow = at("2026-04-04T12:00:00Z");
};

const Names kAll = {
    "home/bath/temperature",   "home/garden/a/temp",           "home/garden/a/wet",
    "home/garden/temperature", "home/garden/temperature/temp", "home/kitchen/temperature"};

TEST_F(SeriesListTest, AllAreListedInTheOrderOfTheirNames) {
  EXPECT_EQ(names(""), kAll);
  EXPECT_EQ(names("#"), kAll);
}

TEST_F(SeriesListTest, AFilterMatchesTopicsAndNames) {
  EXPECT_EQ(names("home/+/temperature"),
            (Names{"home/bath/temperature", "home/garden/temperature",
                   "home/garden/temperature/temp", "home/kitchen/temperature"}));
  EXPECT_EQ(names("home/garden/a/+"), (Names{"home/garden/a/temp", "home/garden/a/wet"}));
  EXPECT_EQ(names("+/bath/#"), Names{"home/bath/temperature"});
  EXPECT_EQ(names("office/#"), Names{});
}

TEST_F(SeriesListTest, AnExactNameOrTopicIsThatSeriesOnly) {
  EXPECT_EQ(names("home/garden/a"), (Names{"home/garden/a/temp", "home/garden/a/wet"}));
  EXPECT_EQ(names("home/garden/a/wet"), Names{"home/garden/a/wet"});
  EXPECT_EQ(names("home/kitchen/temperature"), Names{"home/kitchen/temperature"});
}

TEST_F(SeriesListTest, AnythingElseIsAPartOfTheName) {
  EXPECT_EQ(names("bath"), Names{"home/bath/temperature"});
  EXPECT_EQ(names("den/a"), (Names{"home/garden/a/temp", "home/garden/a/wet"}));
  EXPECT_EQ(names("cellar"), Names{});
}

TEST_F(SeriesListTest, PagesOfAnySizeGiveEveryRowOnce) {
  for (std::size_t max = 1; max <= kAll.size() + 1; ++max) {
    Names found;
    SeriesRequest request{.filter = "", .after = "", .max = max};
    do {
      const Result<SeriesAnswer> answer = query().series(request, now(kNow));
      ASSERT_TRUE(answer);
      ASSERT_LE(answer->rows.size(), max);
      for (const SeriesRow& row : answer->rows) {
        found.push_back(row.label.series);
      }
      request.after = answer->next;
    } while (!request.after.empty());
    EXPECT_EQ(found, kAll) << max;
  }
}

TEST_F(SeriesListTest, TwoStreamsOfOneNameAreOrderedByStreamAndBothPaged) {
  config_.streams.push_back(stream_of("bedroom", "home/bath/temperature"));
  start();
  series("home/bath/temperature");
  series("home/bath/temperature", "bedroom");
  Query all = query();
  const SeriesAnswer first = all.series({.filter = "", .after = "", .max = 1}, now(kNow)).value();
  ASSERT_EQ(first.rows.size(), 1u);
  EXPECT_EQ(first.rows[0].label.stream, "bedroom");
  const SeriesAnswer second =
      all.series({.filter = "", .after = first.next, .max = 1}, now(kNow)).value();
  ASSERT_EQ(second.rows.size(), 1u);
  EXPECT_EQ(second.rows[0].label.stream, "temperature");
  EXPECT_EQ(second.next, "");
}

TEST_F(SeriesListTest, TheLimitOfRowsBoundsAPage) {
  config_.limits.rows = 2;
  start();
  series("home/a/temperature");
  series("home/b/temperature");
  series("home/c/temperature");
  const SeriesAnswer answer =
      query().series({.filter = "", .after = "", .max = 1'000'000'000'000}, now(kNow)).value();
  EXPECT_EQ(answer.rows.size(), 2u);
  EXPECT_NE(answer.next, "");
}

TEST_F(SeriesListTest, ARowSaysWhatIsKnown) {
  const SeriesId id = series("home/garden/a", "garden", "temp");
  observe(id, kNow - std::chrono::seconds(90), 21.5);
  observe(id, kNow - std::chrono::seconds(30), 22.5);
  Effects effects;
  const SeriesId retained = series("home/garden/a", "garden", "wet");
  engine_->observe({.series = retained, .retained = true, .time = kNow, .value = 7}, now(kNow),
                   effects);
  const SeriesAnswer answer =
      query().series({.filter = "home/garden/a", .after = "", .max = 9}, now(kNow)).value();
  ASSERT_EQ(answer.rows.size(), 2u);
  EXPECT_EQ(answer.rows[0].label, (SeriesLabel{"home/garden/a/temp", "garden", "ejabberd",
                                               "home/garden/a", "temp", "°C", "Greenhouse"}));
  EXPECT_EQ(answer.rows[0].value, 22.5);
  EXPECT_EQ(answer.rows[0].age, Duration(30'000));
  EXPECT_EQ(answer.rows[0].count, 2u);
  // SEMANTICS 1.7: a retained copy is a value of unknown age.
  EXPECT_EQ(answer.rows[1].value, 7);
  EXPECT_EQ(answer.rows[1].age, std::nullopt);
  EXPECT_EQ(answer.rows[1].count, 0u);
}

TEST_F(SeriesListTest, AnAgeIsNeverNegative) {
  observe(series("home/bath/temperature"), kNow, 1);
  const SeriesAnswer answer =
      query().series({.filter = "bath", .after = "", .max = 1}, now(kNow - kHour)).value();
  EXPECT_EQ(answer.rows.at(0).age, Duration(0));
}

TEST_F(SeriesListTest, WrongQuestionsAreRefusedWithTheirField) {
  const auto place = [this](const SeriesRequest& request) {
    const Result<SeriesAnswer> answer = query().series(request, now(kNow));
    EXPECT_FALSE(answer);
    EXPECT_EQ(answer ? ErrorCode::timeout : answer.error().code, ErrorCode::bad_request);
    return answer ? "" : answer.error().place;
  };
  EXPECT_EQ(place({.filter = "", .after = "", .max = 0}), "max");
  EXPECT_EQ(place({.filter = "a/#/b", .after = "", .max = 1}), "filter");
  EXPECT_EQ(place({.filter = "a+", .after = "", .max = 1}), "filter");
  for (const char* cursor :
       {"x", "-1", "6", "4294967296", "99999999999999999999", "1 ", " 1", "1x"}) {
    EXPECT_EQ(place({.filter = "", .after = cursor, .max = 1}), "after") << cursor;
  }
}

}  // namespace
}  // namespace rollup::query
