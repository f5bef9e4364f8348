// What a series costs, counted where memory is taken and given back.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <new>
#include <string>

#include "engine/engine.h"
#include "engine/series.h"
#include "support/plans.h"

namespace {

std::size_t allocated = 0;

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  allocated += malloc_usable_size(memory);
  return memory;
}

// Without it a sanitizer's own would stand beside our delete.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* const memory = std::malloc(size);
  allocated += memory == nullptr ? 0 : malloc_usable_size(memory);
  return memory;
}

void operator delete(void* memory) noexcept {
  allocated -= malloc_usable_size(memory);
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace rollup::engine {
namespace {

using namespace std::chrono_literals;

class SeriesMemoryTest : public ::testing::Test {
 protected:
  SeriesMemoryTest() {
    timing_.fine = {Layout(kGaugeParts), 60s};
    timing_.hold = 60s;
    timing_.keeps = {true, true, true, true};
  }

  // Feeds a sample each 20 s for `span`, and seals what can be.
  void run(Series& series, Duration span) {
    Effects effects;
    for (const Time end = now_ + span; now_ < end; now_ += 20s) {
      series.observe(now_, 20 + static_cast<double>(to_ms(now_) / 20'000 % 50) / 10);
      series.hold_to(floor_to(now_, 60s));
      series.seal_to(floor_to(now_ - 60s, 60s), 0, effects);
      effects.clear();
    }
  }

  Timing timing_;
  Time now_ = time_from_ms(1'800'000'000'000);
};

TEST_F(SeriesMemoryTest, ASeriesAtRestIsARowThatOwnsNothing) {
  timing_.rings = {{timing_.fine, 62}};
  EXPECT_LE(sizeof(Series), 264U);
  const std::size_t before = allocated;
  Series series(timing_);
  run(series, 3h);
  EXPECT_GT(allocated, before);
  {
    Effects effects;
    series.seal_to(floor_to(now_ + 25h, 24h), 0, effects);
  }
  ASSERT_TRUE(series.is_quiet());
  series.rest();
  EXPECT_EQ(allocated, before);
  EXPECT_EQ(series.count(), 540U);
}

TEST_F(SeriesMemoryTest, AnActiveSeriesWithoutAnOutputIsSmall) {
  const std::size_t before = allocated;
  Series series(timing_);
  run(series, 3h);
  EXPECT_LE(allocated - before, 960U);
}

// Bytes of one of `kMany` series with a topic of 24 bytes, after a sample each and a silence.
std::size_t resting_bytes(const Config& config) {
  constexpr std::size_t kMany = 8192;  // where what grows by doubling is full
  const std::shared_ptr<const Plan> plan = testing::compile(config);
  const std::size_t before = allocated;
  {
    Engine engine(plan);
    Now now{time_from_ms(1'800'000'000'000), Duration{0}};
    Effects effects;
    for (std::size_t i = 0; i < kMany; ++i) {
      const std::string number = std::to_string(100'000 + i);
      const SeriesId id =
          engine.add_series({"temp", "ejabberd", "home/room-" + number + "/degrees", ""}).value();
      engine.observe({.series = id, .time = now.wall, .value = 20}, now, effects);
    }
    now = {now.wall + 50h, now.uptime + 50h};
    engine.advance(now, effects);
    EXPECT_FALSE(engine.next_deadline(now));  // nothing is left that time could change
    Effects().swap(effects);
    return (allocated - before) / kMany;
  }
}

TEST(EngineMemoryTest, AtRestASeriesCostsItsRowAndItsTopicOnce) {
  Config config;
  config.brokers = {"ejabberd"};
  config.streams = {testing::make_stream("temp", "home/{room}/degrees")};
  EXPECT_LE(resting_bytes(config), 420U);
  config.alerts = {testing::make_alert("warm", "temp", "value > 1000")};
  config.limits.alerts_per_rule = 10'000;
  EXPECT_LE(resting_bytes(config), 800U);
}

}  // namespace
}  // namespace rollup::engine
