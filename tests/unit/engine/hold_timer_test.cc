#include "engine/hold_timer.h"

#include <gtest/gtest.h>

namespace rollup::engine {
namespace {

using expression::Truth;

TEST(HoldTimerTest, RunsWhileTrue) {
  HoldTimer timer;
  EXPECT_EQ(timer.deadline(Duration{10}), std::nullopt);
  timer.update(Truth::yes, Duration{100});
  EXPECT_EQ(timer.deadline(Duration{10}), Duration{110});
  timer.update(Truth::yes, Duration{105});
  EXPECT_EQ(timer.deadline(Duration{10}), Duration{110});
}

TEST(HoldTimerTest, StandsStillWhileUnknown) {
  HoldTimer timer;
  timer.update(Truth::yes, Duration{100});
  timer.update(Truth::unknown, Duration{104});
  EXPECT_EQ(timer.deadline(Duration{10}), std::nullopt);
  timer.update(Truth::unknown, Duration{500});
  timer.update(Truth::yes, Duration{1000});
  EXPECT_EQ(timer.deadline(Duration{10}), Duration{1006});
}

TEST(HoldTimerTest, BeginsAnewAfterFalse) {
  HoldTimer timer;
  timer.update(Truth::yes, Duration{100});
  timer.update(Truth::unknown, Duration{104});
  timer.update(Truth::no, Duration{105});
  EXPECT_EQ(timer, HoldTimer{});
  timer.update(Truth::yes, Duration{200});
  EXPECT_EQ(timer.deadline(Duration{10}), Duration{210});
}

TEST(HoldTimerTest, UnknownAtFirstIsNothing) {
  HoldTimer timer;
  timer.update(Truth::unknown, Duration{100});
  EXPECT_EQ(timer, HoldTimer{});
}

TEST(HoldTimerTest, WithoutATimeItIsDueAtOnce) {
  HoldTimer timer;
  timer.update(Truth::yes, Duration{100});
  EXPECT_EQ(timer.deadline(Duration{0}), Duration{100});
}

}  // namespace
}  // namespace rollup::engine
