// What the numbers of a series cost, counted where memory is taken and given back.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <new>

#include "engine/series.h"

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

class SeriesMemoryTest : public testing::Test {
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

}  // namespace
}  // namespace rollup::engine
