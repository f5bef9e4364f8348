#include "engine/engine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <optional>
#include <set>

#include "engine/intake.h"
#include "support/plans.h"

namespace rollup::engine {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const Time kStart = time_from_ms(1'770'000'000'000);  // a full minute
Now at(Duration after) { return {kStart + after, after}; }

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    config_.brokers = {"ejabberd"};
    config_.streams = {testing::make_stream("temp", "home/{room}/temp")};
    config_.streams[0].hold = minutes(2);
  }

  Engine make_engine() const {
    Engine engine(testing::compile(config_));
    EXPECT_EQ(engine.add_series({"temp", "ejabberd", "home/a/temp", ""}), 0U);
    return engine;
  }

  static Output on_change() {
    Output output = testing::make_output("now/{series}");
    output.on = PublishOn::change;
    return output;
  }

  std::int64_t published() const {
    return std::ranges::count_if(effects_, [](const Effect& effect) {
      return std::holds_alternative<effect::Publish>(effect);
    });
  }

  // Those that began.
  std::vector<AlertIndex> alarms() const {
    std::vector<AlertIndex> found;
    for (const Effect& effect : effects_) {
      if (const auto* notify = std::get_if<effect::Notify>(&effect)) {
        found.push_back(notify->state.alert);
      }
    }
    return found;
  }

  Config config_;
  Effects effects_;
};

TEST_F(EngineTest, NothingIsDueWithoutASample) {
  Engine engine = make_engine();
  EXPECT_EQ(engine.next_deadline(at(seconds(0))), std::nullopt);
  engine.advance(at(hours(1000)), effects_);
  EXPECT_TRUE(effects_.empty());
}

TEST_F(EngineTest, SleepsUntilTheNextBoundary) {
  config_.streams[0].publish = {testing::make_output("stats/{series}")};
  Engine engine = make_engine();
  engine.observe({.series = 0, .time = at(seconds(10)).wall, .value = 1}, at(seconds(10)),
                 effects_);
  engine.advance(at(seconds(10)), effects_);
  // At 1m the minute of five minutes ago is sealed, 2 s later this one is published.
  EXPECT_EQ(engine.next_deadline(at(seconds(10))), seconds(50));
  engine.advance(at(seconds(61)), effects_);
  EXPECT_EQ(engine.next_deadline(at(seconds(61))), seconds(1));
  EXPECT_EQ(engine.next_deadline(at(seconds(70))), seconds(0));
}

TEST_F(EngineTest, ASilentSeriesComesToRest) {
  Engine engine = make_engine();
  engine.observe({.series = 0, .time = kStart, .value = 1}, at(seconds(0)), effects_);
  engine.advance(at(hours(30)), effects_);
  EXPECT_EQ(engine.next_deadline(at(hours(30))), std::nullopt);
  // And wakes up.
  effects_.clear();
  engine.observe({.series = 0, .time = at(hours(40)).wall, .value = 2}, at(hours(40)), effects_);
  engine.advance(at(hours(40)), effects_);
  EXPECT_TRUE(engine.next_deadline(at(hours(40))).has_value());
  EXPECT_EQ(engine.current(0, at(hours(40))).value, 2);
}

TEST_F(EngineTest, AClockThatIsSetDecadesForwardIsNoWork) {
  config_.streams[0].resolution = seconds(1);
  Engine engine = make_engine();
  // A small machine without a battery-backed clock begins in 1970.
  const Now early{time_from_ms(30'000'000), Duration{0}};
  engine.observe({.series = 0, .time = early.wall, .value = 1}, early, effects_);
  engine.advance(early, effects_);
  // What is sealed, and no step for each of 1.7e9 boundaries.
  engine.advance(at(seconds(1)), effects_);
  EXPECT_LE(effects_.size(), 200U);
  engine.observe({.series = 0, .time = at(seconds(2)).wall, .value = 2}, at(seconds(2)), effects_);
  EXPECT_EQ(engine.ledger().stream(0).accepted, 2U);
}

// The clock was centuries ahead while the program was away, which counted as time, and was set
// back.
TEST_F(EngineTest, UptimeThatGoesFarAheadOfTheClockIsNoWork) {
  config_.alerts = {testing::make_alert("hot", "temp", "value > 30"),
                    testing::make_alert("gone", "temp", "age > 10m"),
                    testing::make_alert("warm", "temp", "avg(5m) > 20")};
  Engine engine = make_engine();
  engine.observe({.series = 0, .time = kStart, .value = 1}, at(seconds(0)), effects_);
  engine.advance(at(seconds(0)), effects_);
  const Now now{kStart + seconds(10), hours(24 * 365 * 200)};
  // One look every few seconds would not end within the patience of ctest.
  engine.advance(now, effects_);
  EXPECT_LE(effects_.size(), 10U);
  // From there on the clocks go together.
  effects_.clear();
  engine.advance({now.wall + minutes(9), now.uptime + minutes(9)}, effects_);
  EXPECT_TRUE(alarms().empty());
  engine.advance({now.wall + minutes(11), now.uptime + minutes(11)}, effects_);
  EXPECT_EQ(alarms(), std::vector<AlertIndex>{1});
}

TEST_F(EngineTest, UptimeThatGoesFarAheadOfTheClockIsNotFilledWithHeartbeats) {
  config_.streams[0].publish = {on_change()};
  Engine engine = make_engine();
  engine.observe({.series = 0, .time = kStart, .value = 1}, at(seconds(0)), effects_);
  engine.advance(at(seconds(0)), effects_);
  effects_.clear();
  const Now later{kStart + seconds(10), hours(24 * 365 * 200)};
  engine.advance(later, effects_);
  EXPECT_EQ(published(), 1);
  // From there on one each hour.
  effects_.clear();
  for (int minute = 1; minute <= 150; ++minute) {
    const Now now{later.wall + minutes(minute), later.uptime + minutes(minute)};
    engine.observe({.series = 0, .time = now.wall, .value = 1}, now, effects_);
    engine.advance(now, effects_);
  }
  EXPECT_EQ(published(), 2);
}

// After a kill the turns in which nothing came are one long turn.
TEST_F(EngineTest, AClockThatIsCorrectedInALongTurnTakesNoHeartbeatOutOfIt) {
  config_.streams[0].publish = {on_change()};
  config_.streams[0].hold = hours(24);
  Engine engine = make_engine();
  engine.observe({.series = 0, .time = kStart, .value = 1}, at(seconds(0)), effects_);
  engine.advance(at(minutes(5)), effects_);
  effects_.clear();
  const Now corrected{kStart + minutes(200) - seconds(2), minutes(200)};
  engine.advance(corrected, effects_);
  EXPECT_EQ(published(), 3);
  effects_.clear();
  engine.advance({corrected.wall + minutes(41), corrected.uptime + minutes(41)}, effects_);
  EXPECT_EQ(published(), 1);
}

TEST_F(EngineTest, HostileEventTimesAreDropped) {
  config_.streams[0].time = "/t";
  Engine engine = make_engine();
  const std::int64_t most = std::int64_t{1} << 48;
  for (const std::int64_t ms : {-most, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, most}) {
    engine.observe({.series = 0, .has_event_time = true, .time = time_from_ms(ms), .value = 1},
                   at(seconds(0)), effects_);
  }
  engine.advance(at(hours(1)), effects_);
  const Counters& counters = engine.ledger().stream(0);
  EXPECT_EQ(counters.received, 5U);
  EXPECT_EQ(counters.accepted, 0U);
  EXPECT_EQ(counters.dropped[static_cast<std::size_t>(DropReason::too_late)], 4U);
  EXPECT_EQ(counters.dropped[static_cast<std::size_t>(DropReason::future)], 1U);
  EXPECT_TRUE(effects_.empty());
}

TEST_F(EngineTest, HugeValuesStayNumbers) {
  Engine engine = make_engine();
  const double huge = std::numeric_limits<double>::max();
  for (int i = 0; i < 3; ++i) {
    engine.observe({.series = 0, .time = at(seconds(i)).wall, .value = i % 2 == 0 ? huge : -huge},
                   at(seconds(i)), effects_);
  }
  engine.advance(at(hours(30)), effects_);
  EXPECT_EQ(engine.current(0, at(seconds(3))).value, huge);
}

TEST_F(EngineTest, OpenBucketsCountTheHeldValueUpToNow) {
  Engine engine = make_engine();
  engine.observe({.series = 0, .time = kStart, .value = 10}, at(seconds(0)), effects_);
  const auto buckets =
      engine.open_buckets(0, Tier::fine, Time::min(), Time::max(), at(seconds(90)));
  ASSERT_EQ(buckets.size(), 2U);
  EXPECT_EQ(buckets[0].aggregate.known, minutes(1));
  EXPECT_EQ(buckets[1].aggregate.known, seconds(30));
  EXPECT_EQ(buckets[1].aggregate.count, 0U);
  EXPECT_EQ(
      engine.open_buckets(0, Tier::fine, kStart + minutes(1), Time::max(), at(seconds(90))).size(),
      1U);
  EXPECT_TRUE(engine.open_buckets(0, Tier::fine, Time::min(), kStart, at(seconds(90))).empty());
}

TEST_F(EngineTest, OpenPointsAreWhatIsNotSealed) {
  Engine engine = make_engine();
  for (int i = 0; i < 10; ++i) {
    engine.observe({.series = 0, .time = at(minutes(i)).wall, .value = 1.0 * i}, at(minutes(i)),
                   effects_);
    engine.advance(at(minutes(i)), effects_);
  }
  // Sealed is up to 9m - 5m.
  const auto points = engine.open_points(0, Time::min(), Time::max());
  ASSERT_EQ(points.size(), 6U);
  EXPECT_EQ(points.front(), (Point{kStart + minutes(4), 4}));
  EXPECT_EQ(engine.open_points(0, kStart + minutes(5), kStart + minutes(7)).size(), 2U);
}

TEST_F(EngineTest, SeriesOfOneNameAreFoundInTheirOrder) {
  config_.streams.push_back(testing::make_stream("all", "home/#"));
  Engine engine = make_engine();
  EXPECT_EQ(engine.add_series({"all", "ejabberd", "home/a/temp", ""}), 1U);
  EXPECT_EQ(engine.find("home/a/temp"), (std::vector<SeriesId>{0, 1}));
  EXPECT_TRUE(engine.find("home/b/temp").empty());
}

TEST_F(EngineTest, ASeriesThatThePlanDoesNotHaveIsANumberOnly) {
  Engine engine = make_engine();
  const auto id = engine.add_series({"gone", "ejabberd", "x", ""});
  ASSERT_TRUE(id.has_value());
  EXPECT_FALSE(engine.is_live(*id));
  engine.observe({.series = *id, .time = kStart, .value = 1}, at(seconds(0)), effects_);
  engine.advance(at(hours(30)), effects_);
  EXPECT_TRUE(effects_.empty());
  EXPECT_TRUE(engine.find("x").empty());
}

TEST_F(EngineTest, InstancesOverTheLimitAreCountedAndToldOnce) {
  config_.alerts = {testing::make_alert("hot", "temp", "value > 30")};
  config_.limits.alerts_per_rule = 2;
  Engine engine = make_engine();
  for (const char* room : {"b", "c", "d"}) {
    ASSERT_TRUE(engine.add_series({"temp", "ejabberd", "home/" + std::string(room) + "/temp", ""}));
  }
  EXPECT_EQ(engine.alert_count(), 2U);
  const Counters& counters = engine.ledger().stream(0);
  EXPECT_EQ(counters.of(DropReason::alerts_per_rule), 2U);
  EXPECT_EQ(counters.examples[static_cast<std::size_t>(DropReason::alerts_per_rule)],
            "home/d/temp");
  EXPECT_EQ(counters.received, 0U);
  const std::vector<LimitNotice> notices = engine.ledger().take_notices();
  EXPECT_EQ(notices,
            (std::vector<LimitNotice>{{DropReason::alerts_per_rule, "alert hot", "home/c/temp"}}));
  ASSERT_TRUE(engine.add_series({"temp", "ejabberd", "home/e/temp", ""}));
  EXPECT_TRUE(engine.ledger().take_notices().empty());
}

TEST_F(EngineTest, WhatIsRefusedStaysCountedWhenValuesAreForgotten) {
  config_.alerts = {testing::make_alert("hot", "temp", "value > 30")};
  config_.limits.alerts_per_rule = 1;
  Engine engine = make_engine();
  ASSERT_TRUE(engine.add_series({"temp", "ejabberd", "home/b/temp", ""}));
  engine.observe({.series = 0, .time = kStart, .value = 1}, at(seconds(0)), effects_);
  Engine restored(testing::compile(config_));
  ASSERT_TRUE(restored.restore(engine.save()));
  restored.ledger().clear_values();
  EXPECT_EQ(restored.ledger().stream(0).of(DropReason::alerts_per_rule), 1U);
  Engine next(testing::compile(config_));
  ASSERT_TRUE(next.restore(engine.save()));
  next.take_counters(engine);
  EXPECT_EQ(next.ledger().stream(0).of(DropReason::alerts_per_rule), 1U);
  EXPECT_EQ(next.ledger().stream(0).accepted, 1U);
}

TEST_F(EngineTest, AlarmsHaveDifferentIdsForEver) {
  config_.alerts = {testing::make_alert("hot", "temp", "value > 30")};
  Engine engine = make_engine();
  std::set<std::string> ids;
  for (int i = 0; i < 6; ++i) {
    engine.observe({.series = 0, .time = at(Duration{i}).wall, .value = i % 2 == 0 ? 31.0 : 1.0},
                   at(Duration{i}), effects_);
  }
  for (const Effect& effect : effects_) {
    if (const auto* notify = std::get_if<effect::Notify>(&effect)) {
      ids.insert(notify->state.id);
    }
  }
  EXPECT_EQ(ids.size(), 3U) << "an alarm and its end have one";
}

TEST_F(EngineTest, MessagesWithIdentifiersGoToTheirStreamsOnly) {
  config_.streams.push_back(testing::make_stream("all", "home/#"));
  Engine engine(testing::compile(config_));
  Intake intake(engine);
  std::vector<Sample> samples;
  std::vector<NewSeries> created;
  Message message;
  message.topic = "home/a/temp";
  message.payload = "20";
  message.subscriptions = {engine.plan().streams[1].tag};
  intake.accept(message, samples, created);
  ASSERT_EQ(created.size(), 1U);
  EXPECT_EQ(created[0].key.stream, "all");
  message.subscriptions = {};
  intake.accept(message, samples, created);
  ASSERT_EQ(created.size(), 2U);
  EXPECT_EQ(created[1].key.stream, "temp");
  EXPECT_EQ(samples.size(), 3U);
  message.subscriptions = {77};
  intake.accept(message, samples, created);
  EXPECT_EQ(samples.size(), 3U);
  EXPECT_EQ(engine.ledger().unrouted().dropped[static_cast<std::size_t>(DropReason::bad_topic)],
            1U);
}

class IntakeTest : public EngineTest {
 protected:
  void start() {
    engine_.emplace(testing::compile(config_));
    intake_.emplace(*engine_);
  }

  void send(const std::string& topic, Duration after = Duration{0}) {
    Message message;
    message.topic = topic;
    message.payload = "20";
    message.arrival = kStart + after;
    intake_->accept(message, samples_, created_);
  }

  std::uint64_t dropped(DropReason reason) const {
    return engine_->ledger().stream(0).of(reason) + engine_->ledger().unrouted().of(reason);
  }

  std::optional<Engine> engine_;
  std::optional<Intake> intake_;
  std::vector<Sample> samples_;
  std::vector<NewSeries> created_;
};

TEST_F(IntakeTest, TopicsOverTheLimitAreBadTopics) {  // SEMANTICS 9
  config_.limits.topic = 20;
  start();
  send("home/01234567890/temp");
  EXPECT_EQ(dropped(DropReason::bad_topic), 1U);
  send("home/0123456789/temp");
  EXPECT_EQ(dropped(DropReason::bad_topic), 1U);
  EXPECT_EQ(samples_.size(), 1U);
}

TEST_F(IntakeTest, TopicsThatNoXmlMayHaveAreBadTopics) {  // SEMANTICS 9
  start();
  send("home/a\xEF\xBF\xBE/temp");
  send("home/a\xEF\xBF\xBF/temp");
  EXPECT_EQ(dropped(DropReason::bad_topic), 2U);
  EXPECT_EQ(engine_->series_count(), 0U);
}

TEST_F(IntakeTest, NewSeriesOfAStreamHaveALimitPerSecond) {  // SEMANTICS 9
  config_.limits.new_series = 3;
  start();
  for (int i = 0; i < 5; ++i) {
    send("home/" + std::to_string(i) + "/temp", Duration{100 * i});
  }
  EXPECT_EQ(dropped(DropReason::too_many_new_series), 2U);
  send("home/0/temp", Duration{600});
  EXPECT_EQ(samples_.size(), 4U) << "what is known is taken";
  EXPECT_EQ(
      engine_->ledger().take_notices(),
      (std::vector<LimitNotice>{{DropReason::too_many_new_series, "stream temp", "home/3/temp"}}));
  send("home/4/temp", Duration{1000});
  EXPECT_EQ(samples_.size(), 5U);
  // A link that is a little behind another one does not begin a new second,
  for (int i = 5; i < 9; ++i) {
    send("home/" + std::to_string(i) + "/temp", Duration{i % 2 == 0 ? 900 : 1100});
  }
  EXPECT_EQ(dropped(DropReason::too_many_new_series), 4U);
  // but a clock that was set back does.
  send("home/7/temp", -hours(1));
  EXPECT_EQ(samples_.size(), 8U);
}

TEST_F(IntakeTest, AReloadDoesNotCountWhatIsKnownAsNew) {
  config_.limits.new_series = 2;
  start();
  send("home/a/temp");
  send("home/b/temp");
  intake_.emplace(*engine_);
  send("home/a/temp");
  send("home/c/temp");
  send("home/b/temp");
  EXPECT_EQ(samples_.size(), 5U);
}

TEST_F(IntakeTest, NoOutputGoesBelowTheModulesOwnTopics) {  // SEMANTICS 8.4
  config_.streams[0].topic = "home/{room}/{what}";
  config_.streams[0].publish = {testing::make_output("{room}/{what}/out")};
  config_.streams[0].publish[0].topic = "{room}/{what}";
  config_.streams[0].broker = "garage";
  config_.brokers = {"garage", "ejabberd"};
  start();
  send("home/rollup/status");
  send("home/rollups/status");
  EXPECT_EQ(dropped(DropReason::topic_collision), 1U);
  EXPECT_EQ(engine_->output_topic(0, 0), "");
  EXPECT_EQ(engine_->output_topic(1, 0), "rollups/status");
}

TEST_F(IntakeTest, ATemplateThatMakesNoTopicIsCounted) {  // SEMANTICS 9
  config_.streams[0].topic = "home/#";
  config_.limits.topic = 65'535;
  config_.streams[0].publish = {testing::make_output("stats/{series}")};
  start();
  send("home/" + std::string(65'530, 'a'));
  EXPECT_EQ(dropped(DropReason::bad_template), 1U);
  EXPECT_EQ(engine_->output_topic(0, 0), "");
}

TEST_F(EngineTest, CountersGoOnOverAReload) {
  Engine engine(testing::compile(config_));
  engine.ledger().drop(0, DropReason::not_json, "home/a/temp");
  engine.ledger().drop(std::nullopt, DropReason::bad_topic, "x");
  config_.streams.insert(config_.streams.begin(), testing::make_stream("all", "home/#"));
  Engine next(testing::compile(config_));
  next.take_counters(engine);
  EXPECT_EQ(next.ledger().stream(0).received, 0U);
  EXPECT_EQ(next.ledger().stream(1).received, 1U);
  EXPECT_EQ(next.ledger().unrouted().received, 1U);
  next.ledger().clear_values();
  EXPECT_EQ(next.ledger().stream(1).received, 0U);
  EXPECT_EQ(next.ledger().unrouted().received, 0U);
}

// Late samples wait for the end of the turn, so nothing is made anew with each of a back-fill.
TEST_F(EngineTest, ABackFillCorrectsEachWindowOnce) {
  config_.streams[0].time = "/t";
  config_.streams[0].lateness = hours(24);
  Output output = testing::make_output("out/{series}");
  output.window = hours(1);
  output.every = hours(1);
  config_.streams[0].publish = {output};
  Engine engine = make_engine();
  const Now now = at(hours(24));
  engine.observe({.series = 0, .has_event_time = true, .time = kStart, .value = 0}, at(hours(0)),
                 effects_);
  engine.advance(now, effects_);
  engine.observe({.series = 0, .has_event_time = true, .time = now.wall, .value = 0}, now,
                 effects_);
  std::vector<Sample> backfill;
  for (int i = 0; i < 20'000; ++i) {
    backfill.push_back({.series = 0,
                        .has_event_time = true,
                        .time = now.wall - hours(20) + seconds(3 * i),
                        .value = 1.0 * (i % 7)});
  }
  effects_.clear();
  engine.observe(backfill, now, effects_);
  EXPECT_EQ(published(), 0);
  engine.advance(now, effects_);
  // 20 000 samples, three seconds apart, are within 17 hours (or 18, as the hours lie).
  EXPECT_GE(published(), 17);
  EXPECT_LE(published(), 18);
  EXPECT_EQ(engine.current(0, now).count, 20'002U);
}

}  // namespace
}  // namespace rollup::engine
