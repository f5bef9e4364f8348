#include "engine/checkpoint.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/engine.h"
#include "support/plans.h"

namespace rollup::engine {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const Time kStart = time_from_ms(1'770'000'000'000);

Config config() {
  Config config;
  config.brokers = {"ejabberd"};
  config.streams = {testing::make_stream("temp", "home/{room}/temp")};
  config.streams[0].publish = {testing::make_output("stats/{series}"),
                               testing::make_output("now/{series}")};
  config.streams[0].publish[1].on = PublishOn::change;
  config.alerts = {testing::make_alert("hot", "temp", "value > 30")};
  config.alerts[0].raise_for = minutes(1);
  return config;
}

SeriesKey key(int room) {
  return {"temp", "ejabberd", "home/" + std::to_string(room) + "/temp", ""};
}

// An hour of samples of `count` series.
Engine lively_engine(const std::shared_ptr<const Plan>& plan, int count) {
  Engine engine(plan);
  Effects effects;
  for (int room = 0; room < count; ++room) {
    EXPECT_TRUE(engine.add_series(key(room)).has_value());
  }
  for (int i = 0; i < 60; ++i) {
    const Now now{kStart + minutes(i), minutes(i)};
    for (int room = 0; room < count; ++room) {
      engine.observe({.series = static_cast<SeriesId>(room),
                      .time = now.wall - seconds(room % 50),
                      .value = 20.0 + (i * room) % 13},
                     now, effects);
    }
    engine.advance(now, effects);
  }
  return engine;
}

TEST(CheckpointTest, IsTheIdentityOnAnEqualPlan) {
  const auto plan = testing::compile(config());
  Engine engine = lively_engine(plan, 7);
  const auto parts = engine.save();
  Engine restored(plan);
  ASSERT_TRUE(restored.restore(parts).has_value());
  EXPECT_EQ(restored.save(), parts);
  EXPECT_EQ(restored.last(), engine.last());
  EXPECT_EQ(restored.next_deadline(engine.last()), engine.next_deadline(engine.last()));
  EXPECT_EQ(restored.alerts(), engine.alerts());
}

TEST(CheckpointTest,
     ASeriesOfAnotherKindThanBeforeBeginsToCountWithItsNextSample) {  // SEMANTICS 3.6
  Config changed = config();
  changed.streams[0].fields[0].kind = Kind::counter;
  const auto gauges = testing::compile(config());
  const auto counters = testing::compile(changed);
  for (const auto& [before, after] : {std::pair(gauges, counters), std::pair(counters, gauges)}) {
    Engine engine(after);
    ASSERT_TRUE(engine.restore(lively_engine(before, 3).save()).has_value());
    const Now now{kStart + minutes(61), minutes(61)};
    Effects effects;
    engine.observe({.series = 1, .time = now.wall, .value = 1000}, now, effects);
    const auto open = engine.open_buckets(1, Tier::fine, kStart, Time::max(), now);
    ASSERT_FALSE(open.empty());
    for (const Bucket& bucket : open) {
      EXPECT_EQ(bucket.aggregate.parts, parts_of(after->streams[0].config.fields[0].kind));
      EXPECT_LT(bucket.aggregate.increase, 1000);
    }
    EXPECT_EQ(open.back().aggregate.count, 1U);
    Engine again(after);
    ASSERT_TRUE(again.restore(engine.save()).has_value());
    EXPECT_EQ(again.save(), engine.save());
  }
}

TEST(CheckpointTest, ManySeriesGoIntoSeveralParts) {
  const auto plan = testing::compile(config());
  Engine engine(plan);
  for (int room = 0; room < 1234; ++room) {
    ASSERT_TRUE(engine.add_series(key(room)).has_value());
  }
  const auto parts = engine.save();
  EXPECT_EQ(parts.size(), 3U);
  Engine restored(plan);
  ASSERT_TRUE(restored.restore(parts).has_value());
  EXPECT_EQ(restored.series_count(), 1234U);
  EXPECT_EQ(restored.series(1233).key, key(1233));
}

TEST(CheckpointTest, SeriesOverALoweredLimitKeepTheirNumbersOnly) {
  Config few = config();
  Engine engine = lively_engine(testing::compile(few), 3);
  few.limits.series = 2;
  Engine restored(testing::compile(few));
  ASSERT_TRUE(restored.restore(engine.save()).has_value());
  EXPECT_EQ(restored.series_count(), 3U);
  EXPECT_TRUE(restored.is_live(1));
  EXPECT_FALSE(restored.is_live(2));
  EXPECT_EQ(restored.add_series(key(2)).error(), DropReason::too_many_series);
  EXPECT_EQ(restored.add_series(key(3)).error(), DropReason::too_many_series);
}

TEST(CheckpointTest, WhatOneProgramCannotReadItRefuses) {
  const auto plan = testing::compile(config());
  for (const std::vector<std::string>& bad :
       {std::vector<std::string>{"no message"}, {"\x0a\x02\x08\x63"}, {""}}) {
    Engine engine(plan);
    const Result<void> restored = engine.restore(bad);
    EXPECT_FALSE(restored.has_value());
    EXPECT_EQ(engine.series_count(), 0U);
  }
  Engine engine(plan);
  EXPECT_TRUE(engine.restore({}).has_value()) << "nothing was ever saved";
}

TEST(CheckpointTest, AMissingPartIsSeen) {
  const auto plan = testing::compile(config());
  Engine engine(plan);
  for (int room = 0; room < 1200; ++room) {
    ASSERT_TRUE(engine.add_series(key(room)).has_value());
  }
  auto parts = engine.save();
  ASSERT_EQ(parts.size(), 3U);
  parts.erase(parts.begin() + 1);
  Engine restored(plan);
  EXPECT_FALSE(restored.restore(parts).has_value());
  parts = engine.save();
  parts.pop_back();
  Engine another(plan);
  EXPECT_FALSE(another.restore(parts).has_value());
}

// The database guards against damage; what gets through may not crash the program.
TEST(CheckpointTest, DamagedPartsDoNoHarm) {
  const auto plan = testing::compile(config());
  const auto parts = lively_engine(plan, 2).save();
  std::mt19937 random(5);
  for (int round = 0; round < 1000; ++round) {
    auto damaged = parts;
    std::string& part = damaged[0];
    part[random() % part.size()] = static_cast<char>(random());
    Engine engine(plan);
    if (!engine.restore(damaged)) {
      continue;
    }
    Effects effects;
    const Now now{kStart + minutes(70), minutes(70)};
    if (engine.series_count() > 0 && engine.is_live(0)) {
      engine.observe({.series = 0, .time = now.wall, .value = 1}, now, effects);
    }
    engine.advance(now, effects);
    engine.republish(now, effects);
    engine.save();
  }
}

}  // namespace
}  // namespace rollup::engine
