#include "journal/turn.h"

#include <gtest/gtest.h>

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
                     const std::vector<std::uint64_t>& delivered = {}) {
    std::string record = "what it held before";
    writer_.encode(now, {created_, samples, delivered, feed, {}}, engine_, record);
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
  const std::string record =
      encode({{.series = 49, .time = later.wall - Duration{3}, .value = 21.37}}, later,
             FeedPosition{0x1234'5678'9abc'def0, 1'000'001});
  EXPECT_LE(record.size(), 23U);  // and 9 bytes of the record's head: 32
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
