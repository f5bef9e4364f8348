// Query::names() and Query::series()
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

  Names names(const std::string& filter, Match match = Match::part) const {
    const Result<NamesAnswer> answer =
        query().names({.filter = filter, .match = match, .after = {}, .max = 100});
    EXPECT_TRUE(answer);
    EXPECT_FALSE(answer->has_more);
    return names(*answer);
  }

  static Names names(const NamesAnswer& answer) {
    Names names;
    for (const SeriesKey& key : answer.keys) {
      names.push_back(key.name());
    }
    return names;
  }

  std::vector<SeriesRow> rows(const std::string& filter, Time time) const {
    const NamesAnswer found = query().names({.filter = filter, .after = {}, .max = 100}).value();
    return query().series({found.keys}, now(time)).rows;
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

TEST_F(SeriesListTest, AnExactMatchIsANameATopicOrANameOfAStream) {
  EXPECT_EQ(names("home/garden/a", Match::exact),
            (Names{"home/garden/a/temp", "home/garden/a/wet"}));
  EXPECT_EQ(names("home/garden/a/wet", Match::exact), Names{"home/garden/a/wet"});
  EXPECT_EQ(names("garden:home/garden/a/wet", Match::exact), Names{"home/garden/a/wet"});
  EXPECT_EQ(names("temperature:home/garden/a/wet", Match::exact), Names{});
  EXPECT_EQ(names("home/kitchen", Match::exact), Names{});
  EXPECT_EQ(names("", Match::exact), Names{});
  // A name and a topic.
  EXPECT_EQ(names("home/garden/temperature", Match::exact),
            (Names{"home/garden/temperature", "home/garden/temperature/temp"}));
}

TEST_F(SeriesListTest, AnythingElseIsAPartOfTheName) {
  EXPECT_EQ(names("bath"), Names{"home/bath/temperature"});
  EXPECT_EQ(names("den/a"), (Names{"home/garden/a/temp", "home/garden/a/wet"}));
  EXPECT_EQ(names("home/garden/a"), (Names{"home/garden/a/temp", "home/garden/a/wet"}));
  EXPECT_EQ(names("cellar"), Names{});
}

TEST_F(SeriesListTest, AlikeIsAPartOrWhatIsMistypedInOnePlace) {
  const Names kitchen{"home/kitchen/temperature"};
  for (const char* text : {"kitchen", "home/kitchn/temperature", "home/kitchen/temperature1",
                           "ome/kitchen/temperature", "home/ktichen/temperature",
                           "home/kittchen/temperature", "home/kitchen/temperatu"}) {
    EXPECT_EQ(names(text, Match::alike), kitchen) << text;
  }
  for (const char* text : {"", "home/cellar/temperature", "hom/kitchen/temperatur"}) {
    EXPECT_EQ(names(text, Match::alike), Names{}) << text;
  }
}

TEST_F(SeriesListTest, PagesOfAnySizeGiveEveryNameOnce) {
  for (std::size_t max = 1; max <= kAll.size() + 1; ++max) {
    Names found;
    NamesRequest request{.filter = "", .after = {}, .max = max};
    NamesAnswer answer;
    do {
      answer = query().names(request).value();
      ASSERT_LE(answer.keys.size(), max);
      for (const SeriesKey& key : answer.keys) {
        found.push_back(key.name());
      }
      request.after = answer.keys.back();
    } while (answer.has_more);
    EXPECT_EQ(found, kAll) << max;
  }
}

TEST_F(SeriesListTest, APageGoesOnBehindASeriesThatIsGone) {
  const SeriesKey gone{"garden", "ejabberd", "home/garden/b", "temp"};
  const NamesAnswer answer = query().names({.filter = "", .after = gone, .max = 9}).value();
  EXPECT_EQ(names(answer), (Names{"home/garden/temperature", "home/garden/temperature/temp",
                                  "home/kitchen/temperature"}));
  EXPECT_TRUE(query().series({{gone}}, now(kNow)).rows.empty());
}

TEST_F(SeriesListTest, TwoStreamsOfOneNameAreOrderedByStreamAndBothPaged) {
  config_.streams.push_back(stream_of("bedroom", "home/bath/temperature"));
  start();
  series("home/bath/temperature");
  series("home/bath/temperature", "bedroom");
  const NamesAnswer first = query().names({.filter = "", .after = {}, .max = 1}).value();
  ASSERT_EQ(first.keys.size(), 1u);
  EXPECT_EQ(first.keys[0].stream, "bedroom");
  const NamesAnswer second =
      query().names({.filter = "", .after = first.keys[0], .max = 1}).value();
  ASSERT_EQ(second.keys.size(), 1u);
  EXPECT_EQ(second.keys[0].stream, "temperature");
  EXPECT_FALSE(second.has_more);
}

TEST_F(SeriesListTest, TheLimitOfRowsBoundsAPage) {
  config_.limits.rows = 2;
  start();
  series("home/a/temperature");
  series("home/b/temperature");
  series("home/c/temperature");
  const NamesAnswer answer =
      query().names({.filter = "", .after = {}, .max = 1'000'000'000'000}).value();
  EXPECT_EQ(answer.keys.size(), 2u);
  EXPECT_TRUE(answer.has_more);
}

// Hostile names must not make an answer that is longer than a frame may be.
TEST_F(SeriesListTest, BytesBoundAPageButForItsFirstName) {
  config_.streams = {stream_of("temperature", "home/{room}/temperature")};
  start();
  constexpr std::size_t kCount = 40;
  for (std::size_t index = 0; index < kCount; ++index) {
    series("home/" + std::string(60'000, static_cast<char>('A' + index)) + "/temperature");
  }
  NamesRequest request{.filter = "", .after = {}, .max = 1000};
  std::size_t found = 0;
  NamesAnswer answer;
  do {
    answer = query().names(request).value();
    ASSERT_FALSE(answer.keys.empty());
    std::size_t bytes = 0;
    for (const SeriesKey& key : answer.keys) {
      bytes += key.topic.size();
    }
    EXPECT_LE(bytes, kKeyBytesMax);
    found += answer.keys.size();
    request.after = answer.keys.back();
  } while (answer.has_more);
  EXPECT_EQ(found, kCount);
}

TEST_F(SeriesListTest, ARowSaysWhatIsKnown) {
  const SeriesId id = series("home/garden/a", "garden", "temp");
  observe(id, kNow - std::chrono::seconds(90), 21.5);
  observe(id, kNow - std::chrono::seconds(30), 22.5);
  Effects effects;
  const SeriesId retained = series("home/garden/a", "garden", "wet");
  engine_->observe({.series = retained, .retained = true, .time = kNow, .value = 7}, now(kNow),
                   effects);
  const SeriesAnswer answer{rows("home/garden/a", kNow)};
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
  const SeriesAnswer answer{rows("bath", kNow - kHour)};
  EXPECT_EQ(answer.rows.at(0).age, Duration(0));
}

TEST_F(SeriesListTest, WrongQuestionsAreRefusedWithTheirField) {
  const auto place = [this](const NamesRequest& request) {
    const Result<NamesAnswer> answer = query().names(request);
    EXPECT_FALSE(answer);
    EXPECT_EQ(answer ? ErrorCode::timeout : answer.error().code, ErrorCode::bad_request);
    return answer ? "" : answer.error().place;
  };
  EXPECT_EQ(place({.filter = "", .after = {}, .max = 0}), "max");
  EXPECT_EQ(place({.filter = "a/#/b", .after = {}, .max = 1}), "filter");
  EXPECT_EQ(place({.filter = "a+", .after = {}, .max = 1}), "filter");
}

}  // namespace
}  // namespace rollup::query
