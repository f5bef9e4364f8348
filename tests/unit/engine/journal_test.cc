#include "engine/journal.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <random>

#include "support/plans.h"

namespace rollup::engine {
namespace {

using std::chrono::minutes;

const Now kNow{time_from_ms(1'770'000'000'000), Duration{5'000'000}};

Config config() {
  Config config;
  config.brokers = {"ejabberd"};
  config.streams = {testing::make_stream("temp", "home/{room}/temp")};
  config.streams[0].time = "/t";
  config.streams[0].publish = {testing::make_output("stats/{series}")};
  config.alerts = {testing::make_alert("hot", "temp", "value > 30 or age > 100")};
  return config;
}

SeriesKey key(const std::string& room) {
  return {"temp", "ejabberd", "home/" + room + "/temp", ""};
}

struct Turn {
  std::vector<NewSeries> created;
  std::vector<Sample> samples;
};

Turn some_turn() {
  return {{{0, key("a")}, {1, key("b")}},
          {{.series = 1, .has_event_time = true, .time = kNow.wall - minutes(2), .value = 31.25},
           {.series = 0, .has_event_time = true, .time = kNow.wall + Duration{7}, .value = -0.0},
           {.series = 1, .retained = true, .time = kNow.wall, .value = 1e300}}};
}

std::string row_of(const Turn& turn, const Now& now) {
  std::string row = "what it held before";
  encode_turn(now, turn.created, turn.samples, row);
  return row;
}

class JournalTest : public ::testing::Test {
 protected:
  // Nothing if the row cannot be read.
  std::optional<std::vector<std::string>> replayed(std::string_view row) const {
    Engine engine(plan_);
    Effects effects;
    if (!replay_turn(row, engine, effects)) {
      return std::nullopt;
    }
    return engine.save();
  }

  std::shared_ptr<const Plan> plan_ = testing::compile(config());
};

TEST_F(JournalTest, ReplayDoesWhatTheTurnDid) {
  const Turn turn = some_turn();
  Engine engine(plan_);
  Effects live;
  for (const NewSeries& series : turn.created) {
    ASSERT_EQ(engine.add_series(series.key), series.id);
  }
  engine.observe(turn.samples, kNow, live);
  engine.advance(kNow, live);

  Engine again(plan_);
  Effects effects;
  ASSERT_TRUE(replay_turn(row_of(turn, kNow), again, effects).has_value());
  EXPECT_EQ(effects, live);
  EXPECT_EQ(again.save(), engine.save());
  EXPECT_EQ(again.last(), kNow);
}

TEST_F(JournalTest, EmptyTurnOnlyLetsTimePass) {
  Engine engine(plan_);
  Effects effects;
  ASSERT_TRUE(replay_turn(row_of({}, kNow), engine, effects).has_value());
  EXPECT_EQ(engine.series_count(), 0U);
  EXPECT_EQ(engine.last(), kNow);
}

TEST_F(JournalTest, RowsAreShort) {
  Turn turn;
  for (int i = 0; i < 1000; ++i) {
    turn.samples.push_back({.series = static_cast<SeriesId>(i), .time = kNow.wall, .value = 21.5});
  }
  // 8 bytes of value, one each for series, flags and time.
  EXPECT_LT(row_of(turn, kNow).size(), 11'100U);
}

TEST_F(JournalTest, NoPrefixOfARowIsARow) {
  const std::string row = row_of(some_turn(), kNow);
  ASSERT_TRUE(replayed(row).has_value());
  for (std::size_t size = 0; size < row.size(); ++size) {
    EXPECT_FALSE(replayed(std::string_view(row).substr(0, size)).has_value()) << size;
  }
}

TEST_F(JournalTest, NothingMayFollowARow) {
  EXPECT_FALSE(replayed(row_of(some_turn(), kNow) + '\0').has_value());
}

TEST_F(JournalTest, UnknownVersionIsToldAsSuch) {
  std::string row = row_of(some_turn(), kNow);
  row[0] = 2;
  Engine engine(plan_);
  Effects effects;
  const Result<void> result = replay_turn(row, engine, effects);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::unsupported);
}

TEST_F(JournalTest, SeriesThatGetOtherNumbersAreRefused) {
  Turn turn = some_turn();
  turn.created[1].id = 7;
  Engine engine(plan_);
  Effects effects;
  const Result<void> result = replay_turn(row_of(turn, kNow), engine, effects);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::storage);
}

TEST_F(JournalTest, SampleOfASeriesThatIsNotThereIsRefused) {
  Turn turn = some_turn();
  for (const SeriesId id : {SeriesId{2}, SeriesId{0xffff'ffff}}) {
    turn.samples[2].series = id;
    EXPECT_FALSE(replayed(row_of(turn, kNow)).has_value());
  }
}

TEST_F(JournalTest, ValueThatIsNotFiniteIsRefused) {
  Turn turn = some_turn();
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    turn.samples[0].value = value;
    EXPECT_FALSE(replayed(row_of(turn, kNow)).has_value());
  }
}

TEST_F(JournalTest, NameThatNoCheckpointCanHoldIsRefused) {
  Turn turn = some_turn();
  turn.created[1].key.topic[5] = '\xff';
  EXPECT_FALSE(replayed(row_of(turn, kNow)).has_value());
}

TEST_F(JournalTest, TimesThatNoClockShowsAreRefused) {
  for (const std::int64_t ms :
       {std::int64_t{-1}, std::int64_t{1} << 50, std::numeric_limits<std::int64_t>::max() / 2}) {
    EXPECT_FALSE(replayed(row_of({}, {time_from_ms(ms), kNow.uptime})).has_value()) << ms;
    EXPECT_FALSE(replayed(row_of({}, {kNow.wall, Duration{ms}})).has_value()) << ms;
    Turn turn = some_turn();
    turn.samples[0].time = time_from_ms(ms < 0 ? -(std::int64_t{1} << 50) : ms);
    EXPECT_FALSE(replayed(row_of(turn, kNow)).has_value()) << ms;
  }
}

TEST_F(JournalTest, EventTimesFarAwayAreDroppedAsTheyWere) {
  Turn turn = some_turn();
  turn.samples[0].time = time_from_ms(0);
  turn.samples[1].time = kNow.wall + std::chrono::hours(24 * 365 * 170);
  Engine engine(plan_);
  Effects effects;
  ASSERT_TRUE(replay_turn(row_of(turn, kNow), engine, effects).has_value());
  EXPECT_EQ(engine.ledger().stream(0).dropped[static_cast<std::size_t>(DropReason::too_late)], 1U);
  EXPECT_EQ(engine.ledger().stream(0).dropped[static_cast<std::size_t>(DropReason::future)], 1U);
}

// Random damage: any answer but a crash. A row that is read leads to a state that can be saved and
// restored.
TEST_F(JournalTest, DamagedRowsDoNoHarm) {
  std::mt19937 random(3);
  const std::string row = row_of(some_turn(), kNow);
  int read = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = row;
    for (std::size_t changes = 1 + random() % 3; changes > 0; --changes) {
      const std::size_t at = random() % damaged.size();
      const int flipped = damaged[at] ^ 1 << random() % 8;
      damaged[at] = random() % 3 == 0 ? static_cast<char>(random()) : static_cast<char>(flipped);
    }
    if (const auto parts = replayed(damaged)) {
      ++read;
      Engine engine(plan_);
      ASSERT_TRUE(engine.restore(*parts).has_value());
    }
  }
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace rollup::engine
