#include "app/core.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

#include "base/text.h"
#include "support/plans.h"
#include "support/temp_dir.h"

namespace rollup::app {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kTopic = "home/kitchen/temperature";
const SeriesKey kKey{"temperature", "ejabberd", kTopic, ""};

// The core on a history of its own, with a present that the test moves.
class CoreTest : public ::testing::Test {
 protected:
  CoreTest() {
    config_.brokers = {"ejabberd"};
    config_.streams = {rollup::testing::make_stream("temperature", "home/{room}/temperature")};
  }

  void open() {
    core_.reset();  // lets go of the file
    auto core = Core::open({.directory = directory_.path()}, rollup::testing::compile(config_));
    ASSERT_TRUE(core) << core.error().message;
    core_ = std::move(*core);
    now_.uptime = core_->engine().last().uptime;
  }

  // As a kill: what is not committed is gone.
  void kill_and_open(Duration away) {
    now_.wall += away;
    open();
  }

  void take(double value) {
    Message message;
    message.topic = kTopic;
    message.payload = std::to_string(value);
    message.arrival = now_.wall;
    core_->take(message);
    finish_turn();
  }

  void finish_turn() {
    auto turn = core_->finish_turn(now_);
    ASSERT_TRUE(turn) << turn.error().message;
    if (!turn->notifications.empty()) {
      told_at_ = now_.uptime;
    }
    ASSERT_TRUE(core_->maintain(now_));
  }

  // As the program does it: a turn whenever something is due.
  void pass(Duration time) {
    const Duration end = now_.uptime + time;
    while (now_.uptime < end) {
      const Duration until = core_->next_deadline(now_).value_or(time);
      move(std::clamp(until, Duration{1}, end - now_.uptime));
      finish_turn();
    }
  }

  void move(Duration time) {
    now_.wall += time;
    now_.uptime += time;
  }

  std::size_t raw_points() {
    std::size_t count = 0;
    EXPECT_TRUE(core_->sealed().read(kKey, time_from_ms(0), now_.wall, [&](const Point&) {
      ++count;
      return true;
    }));
    return count;
  }

  rollup::testing::TempDir directory_;
  Config config_;
  std::unique_ptr<Core> core_;
  Now now_{parse_rfc3339("2026-04-04T12:00:00Z").value(), Duration{0}};
  std::optional<Duration> told_at_;
};

// SEMANTICS 6.1, 6.6: the time before the kill counts although no sample came in it.
TEST_F(CoreTest, AKillInTheMiddleOfASilenceTakesAtMostTwoSecondsFromWhatForHasCounted) {
  Alert alert = rollup::testing::make_alert("hot", "temperature", "value > 30");
  alert.raise_for = minutes(10);
  alert.notify = {"alice@example.org"};
  config_.alerts = {alert};
  config_.streams.front().hold = hours(2);
  open();
  take(33);
  const Duration began = now_.uptime;
  pass(minutes(9));
  const Duration killed = now_.uptime;
  kill_and_open(minutes(30));
  EXPECT_GE(now_.uptime, killed - seconds(2));
  pass(minutes(2));
  ASSERT_TRUE(told_at_);
  EXPECT_EQ(*told_at_, began + minutes(10));
}

TEST_F(CoreTest, NothingIsWrittenInASilenceInWhichNoAlertCountsTime) {
  open();
  take(20);
  pass(minutes(10));
  ASSERT_TRUE(core_->finish());
  pass(minutes(10));
  EXPECT_EQ(core_->counts().journal_turns, 0U);
}

class ClockTest : public CoreTest {
 protected:
  ClockTest() {
    config_.streams.front().keep = {hours(24), hours(24), hours(24), hours(24)};
    config_.streams.front().lateness = seconds(10);
    open();
    for (int i = 0; i < 10; ++i) {
      take(20 + i);
      pass(minutes(1));
    }
    pass(minutes(2));
    EXPECT_TRUE(core_->finish());
    before_ = raw_points();
    EXPECT_EQ(before_, 10U);
  }

  std::size_t before_ = 0;
};

TEST_F(ClockTest, AClockThatIsFarAheadAtStartDeletesNothingForAnHour) {
  kill_and_open(hours(24 * 40));
  pass(minutes(59));
  EXPECT_EQ(raw_points(), before_);
  // It was right after all: the machine was off.
  pass(minutes(10));
  EXPECT_EQ(raw_points(), 0U);
}

TEST_F(ClockTest, AClockThatIsSetAheadInARunDeletesNothingForAnHour) {
  now_.wall += hours(24 * 40);
  pass(minutes(59));
  EXPECT_EQ(raw_points(), before_);
}

TEST_F(ClockTest, AClockThatIsSetRightAgainHasDeletedNothing) {
  now_.wall += hours(24 * 400);
  pass(minutes(30));
  now_.wall -= hours(24 * 400);
  pass(hours(3));
  EXPECT_EQ(raw_points(), before_);
}

}  // namespace
}  // namespace rollup::app
