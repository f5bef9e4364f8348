#include "journal/turn.h"

#include <gtest/gtest.h>
#include <rollup/state/v1/journal.pb.h>
#include <rollup/state/v1/state.pb.h>

#include <limits>
#include <random>

#include "support/plans.h"

namespace rollup::journal {
namespace {

using engine::Engine;
using engine::NewSeries;
using std::chrono::minutes;

const Now kNow{time_from_ms(1'770'000'000'000), Duration{5'000'000}};

SeriesKey key(const std::string& room) {
  return {"temp", "ejabberd", "home/" + room + "/temp", ""};
}

class TurnTest : public ::testing::Test {
 protected:
  static Config config() {
    Config config;
    config.brokers = {"ejabberd"};
    config.streams = {rollup::testing::make_stream("temp", "home/{room}/temp")};
    config.streams[0].time = "/t";
    return config;
  }

  std::string encode(const std::vector<Sample>& samples, const Now& now,
                     const std::optional<FeedPosition>& feed = {},
                     const std::vector<std::uint64_t>& delivered = {},
                     const std::vector<TakenDelivery>& taken = {}) {
    std::string record;
    writer_.encode(now, {created_, samples, delivered, feed, taken}, engine_, record);
    created_.clear();
    return record;
  }

  SeriesId add(const std::string& room) {
    created_.push_back({engine_.add_series(key(room)).value(), key(room)});
    return created_.back().id;
  }

  std::shared_ptr<const engine::Plan> plan_ = rollup::testing::compile(config());
  Engine engine_{plan_};
  std::vector<NewSeries> created_;
  TurnWriter writer_;
};

TEST_F(TurnTest, AReplayDoesWhatTheTurnsDid) {
  add("a");
  add("b");
  const std::vector<Sample> first = {
      {.series = 1, .has_event_time = true, .time = kNow.wall - minutes(2), .value = 31.25},
      {.series = 0, .has_event_time = true, .time = kNow.wall + Duration{7}, .value = -0.0},
      {.series = 1, .retained = true, .time = kNow.wall, .value = 1e300}};
  const std::vector<Sample> second = {{.series = 0, .time = kNow.wall + minutes(1), .value = 0.1}};
  const Now later{kNow.wall + minutes(1), kNow.uptime + minutes(1)};
  const std::string one = encode(first, kNow, FeedPosition{7, 1}, {4, 9});
  const std::string two = encode(second, later, FeedPosition{7, 2});
  Effects live;
  engine_.observe(first, kNow, live);
  engine_.advance(kNow, live);
  engine_.observe(second, later, live);
  engine_.advance(later, live);

  Engine again(plan_);
  TurnReader reader;
  Effects effects;
  const auto turn = reader.replay(one, again, effects);
  ASSERT_TRUE(turn) << turn.error().message;
  EXPECT_EQ(turn->now, kNow);
  EXPECT_EQ(turn->delivered, (std::vector<std::uint64_t>{4, 9}));
  EXPECT_EQ(turn->feed, (FeedPosition{7, 1}));
  const auto next = reader.replay(two, again, effects);
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ(next->feed, (FeedPosition{7, 2}));
  EXPECT_EQ(effects, live);
  EXPECT_EQ(again.save(), engine_.save());
}

TEST_F(TurnTest, ARecordOfSeveralTurnsDoesWhatTheTurnsDidOneByOne) {
  Effects live;
  std::string record;
  Now now = kNow;
  for (int i = 0; i < 40; ++i) {
    if (i % 10 == 0) {
      add(std::to_string(i));
    }
    // The clocks do not go alike, and the wall clock is set back once.
    now = {now.wall + (i == 20 ? -minutes(3) : Duration{200 + i % 3}), now.uptime + Duration{201}};
    const std::vector<Sample> samples = {
        {.series = static_cast<SeriesId>(i / 10), .time = now.wall, .value = 20 + i * 0.1}};
    const auto number = static_cast<std::uint64_t>(i);
    record += encode(i == 5 ? std::vector<Sample>() : samples, now, FeedPosition{7, 100 + number},
                     {number}, {{"other", i == 0, {static_cast<std::uint16_t>(i), 77}}});
    if (i != 5) {
      engine_.observe(samples, now, live);
    }
    engine_.advance(now, live);
  }

  Engine again(plan_);
  TurnReader reader;
  Effects effects;
  const auto read = reader.replay(record, again, effects);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(effects, live);
  EXPECT_EQ(again.save(), engine_.save());
  EXPECT_EQ(read->now, now);
  EXPECT_EQ(read->feed, (FeedPosition{7, 139}));
  ASSERT_EQ(read->delivered.size(), 40U);
  EXPECT_EQ(read->delivered.back(), 39U);
  ASSERT_EQ(read->taken.size(), 40U);
  EXPECT_EQ(read->taken.back(), (TakenDelivery{"other", false, {39, 77}}));
}

TEST_F(TurnTest, OfARecordThatIsCutShortNothingIsDone) {
  add("a");
  const std::string first = encode({{.series = 0, .time = kNow.wall, .value = 1}}, kNow);
  const Now later{kNow.wall + Duration{200}, kNow.uptime + Duration{200}};
  const std::string second = encode({{.series = 0, .time = later.wall, .value = 2}}, later);
  Engine again(plan_);
  TurnReader reader;
  Effects effects;
  for (std::size_t size = first.size() + 1; size < first.size() + second.size(); ++size) {
    EXPECT_FALSE(reader.replay((first + second).substr(0, size), again, effects)) << size;
    EXPECT_EQ(again.series_count(), 0U);
  }
  EXPECT_TRUE(reader.replay(first + second, again, effects));
  EXPECT_EQ(again.current(0, later).value, 2);
}

TEST_F(TurnTest, WhatBrokersMayDeliverAgainComesBackInItsOrder) {
  const std::vector<TakenDelivery> taken = {{"one", true, {65'535, 0xffff'ffff}},
                                            {"two", false, {1, 0}},
                                            {"one", false, {0, 5}},
                                            {"one", true, {65'535, 6}}};
  const std::string first = encode({}, kNow, {}, {}, taken);
  const std::string second = encode({}, kNow, {}, {}, taken);
  EXPECT_LT(second.size(), first.size());  // the names are known by now
  TurnReader reader;
  Effects effects;
  for (const std::string& record : {first, second}) {
    const auto read = reader.replay(record, engine_, effects);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->taken, taken);
  }
}

TEST_F(TurnTest, PositionsOfTheFeedComeBackWhateverTheyAre) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  TurnReader reader;
  Effects effects;
  for (const FeedPosition& position :
       {FeedPosition{0, 5}, FeedPosition{kMax, kMax}, FeedPosition{kMax, 0}, FeedPosition{0, kMax},
        FeedPosition{3, 1}, FeedPosition{3, 2}}) {
    const auto read = reader.replay(encode({}, kNow, position), engine_, effects);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->feed, position);
  }
}

// As version 1 wrote them.
TEST_F(TurnTest, TurnsOfVersion1AreRead) {
  state::v1::LinkPositions links;
  state::v1::LinkPosition& link = *links.add_links();
  link.set_broker("other");
  link.set_begins_session(true);
  link.add_packet_ids(7);
  link.add_contents(77);
  link.add_packet_ids(8);
  link.add_contents(88);
  state::v1::Turn turn;
  turn.set_wall_ms(to_ms(kNow.wall));
  turn.set_run_ms(kNow.uptime.count());
  state::v1::SeriesLabel& series = *turn.add_series();
  series.set_label(9);
  series.set_stream("temp");
  series.set_broker("ejabberd");
  series.set_topic("home/a/temp");
  turn.set_samples(std::string("\x12\x04\x05\xac\x02\x00\x04\x00\x0a", 9));  // 15.0, 0.5
  turn.mutable_feed()->set_epoch(7);
  turn.mutable_feed()->set_number(100);
  turn.add_commands()->mutable_delivered()->set_id(4);
  turn.set_links(links.SerializeAsString());
  state::v1::Turn next;
  next.set_wall_ms(200);
  next.set_run_ms(199);
  next.mutable_feed()->set_number(101);

  TurnReader reader;
  Effects effects;
  const auto first = reader.replay_version_1(turn.SerializeAsString(), engine_, effects);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->now, kNow);
  EXPECT_EQ(first->feed, (FeedPosition{7, 100}));
  EXPECT_EQ(first->delivered, (std::vector<std::uint64_t>{4}));
  EXPECT_EQ(first->taken,
            (std::vector<TakenDelivery>{{"other", true, {7, 77}}, {"other", false, {8, 88}}}));
  ASSERT_EQ(engine_.series_count(), 1U);
  EXPECT_EQ(engine_.series(0).key, key("a"));
  EXPECT_EQ(engine_.current(0, kNow).value, 0.5);
  const auto second = reader.replay_version_1(next.SerializeAsString(), engine_, effects);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->now, (Now{kNow.wall + Duration{200}, kNow.uptime + Duration{199}}));
  EXPECT_EQ(second->feed, (FeedPosition{7, 101}));
}

TEST_F(TurnTest, ASegmentNeedsNoOtherToBeRead) {
  add("a");
  encode({{.series = 0, .time = kNow.wall, .value = 1}}, kNow);
  writer_ = TurnWriter();
  const std::string record = encode({{.series = 0, .time = kNow.wall, .value = 2}}, kNow);
  Engine again(plan_);
  TurnReader reader;
  Effects effects;
  ASSERT_TRUE(reader.replay(record, again, effects));
  ASSERT_EQ(again.series_count(), 1U);
  EXPECT_EQ(again.series(0).key, key("a"));
  EXPECT_EQ(again.current(0, kNow).value, 2);
}

TEST_F(TurnTest, ARecordOfAHomeIsShort) {
  for (int i = 0; i < 50; ++i) {
    add(std::to_string(i));
  }
  encode({}, kNow, FeedPosition{0x1234'5678'9abc'def0, 1'000'000});
  const Now later{kNow.wall + Duration{200}, kNow.uptime + Duration{200}};
  const std::vector<Sample> samples = {
      {.series = 49, .time = later.wall - Duration{3}, .value = 21.37}};
  const std::string of_feed =
      encode(samples, later, FeedPosition{0x1234'5678'9abc'def0, 1'000'001});
  EXPECT_LE(of_feed.size(), 12U);  // and 9 bytes of the record's head
  encode({}, later, {}, {}, {{"other", true, {1, 1}}});
  const std::string of_client =
      encode(samples, later, {}, {}, {{"other", false, {2, 0x8765'4321}}});
  EXPECT_LE(of_client.size(), 18U);
}

TEST_F(TurnTest, ValuesComeBackToTheLastBit) {
  const SeriesId id = add("a");
  std::mt19937_64 random(1);
  std::vector<Sample> samples;
  for (int i = 0; i < 2000; ++i) {
    const double value = i % 2 == 0 ? static_cast<double>(random() % 100'000) / 1000
                                    : std::bit_cast<double>(random());
    if (std::isfinite(value)) {
      samples.push_back({.series = id, .time = kNow.wall + Duration{i}, .value = value});
    }
  }
  const Now later{kNow.wall + minutes(1), kNow.uptime + minutes(1)};
  const std::string record = encode(samples, later);
  Effects effects;
  engine_.observe(samples, later, effects);
  Engine again(plan_);
  TurnReader reader;
  ASSERT_TRUE(reader.replay(record, again, effects));
  engine_.advance(later, effects);
  EXPECT_EQ(again.save(), engine_.save());
}

TEST_F(TurnTest, TimesThatNoClockShowsAreRefused) {
  for (const std::int64_t ms : {std::int64_t{-1}, std::int64_t{1} << 50}) {
    writer_ = TurnWriter();
    const std::string record = encode({}, {time_from_ms(ms), kNow.uptime});
    TurnReader reader;
    Effects effects;
    EXPECT_FALSE(reader.replay(record, engine_, effects)) << ms;
  }
}

// Random damage: any answer but a crash. What is read leads to a state that can be saved and
// restored.
TEST_F(TurnTest, DamagedTurnsDoNoHarm) {
  add("a");
  add("b");
  const std::string record = encode({{.series = 1, .time = kNow.wall, .value = 31.25},
                                     {.series = 0, .time = kNow.wall, .value = 1e300}},
                                    kNow);
  std::mt19937 random(3);
  int read = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string damaged = record;
    damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    Engine again(plan_);
    TurnReader reader;
    Effects effects;
    if (reader.replay(damaged, again, effects)) {
      ++read;
      Engine restored(plan_);
      ASSERT_TRUE(restored.restore(again.save()));
    }
  }
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace rollup::journal
