// When a condition's truth changes by the passing of time alone: predicted, and then found by
// stepping through every ms.
#include <gtest/gtest.h>

#include <random>

#include "conditions.h"

namespace rollup::expression {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The readings of ages as an engine would make them `later`: whole ms, divided once.
std::vector<Reading> ages(const std::vector<std::int64_t>& ages_ms, std::int64_t later_ms = 0) {
  std::vector<Reading> result;
  for (const std::int64_t age_ms : ages_ms) {
    result.push_back({.value = static_cast<double>(age_ms + later_ms) / 1000, .slope = 1});
  }
  return result;
}

std::optional<Duration> next_change(std::string_view text, const std::vector<Reading>& readings) {
  return parsed(text).evaluate(readings).next_change;
}

TEST(NextChangeTest, NothingChangesByItselfWithoutAges) {
  EXPECT_EQ(next_change("value > 3 and avg(5m) < 2", readings({1.0, 1.0})), std::nullopt);
}

TEST(NextChangeTest, StrictAndOtherComparisonsDifferByOneMillisecond) {
  EXPECT_EQ(next_change("age >= 10m", ages({590'123})), milliseconds(9'877));
  EXPECT_EQ(next_change("age > 10m", ages({590'123})), milliseconds(9'878));
  EXPECT_EQ(next_change("age < 10m", ages({590'123})), milliseconds(9'877));
  EXPECT_EQ(next_change("age <= 10m", ages({590'123})), milliseconds(9'878));
}

TEST(NextChangeTest, AtTheLimitItself) {
  EXPECT_EQ(next_change("age > 10m", ages({600'000})), milliseconds(1));
  EXPECT_EQ(next_change("age >= 10m", ages({600'000})), std::nullopt);
  EXPECT_EQ(next_change("age <= 10m", ages({600'000})), milliseconds(1));
  EXPECT_EQ(next_change("age < 10m", ages({600'000})), std::nullopt);
}

TEST(NextChangeTest, WhatHasPassedDoesNotComeBack) {
  EXPECT_EQ(next_change("age > 10m", ages({600'001})), std::nullopt);
  EXPECT_EQ(next_change("age < 10m", ages({700'000})), std::nullopt);
}

TEST(NextChangeTest, EqualityComesForOneMillisecondAndGoes) {
  EXPECT_EQ(next_change("age == 10", ages({9'990})), milliseconds(10));
  EXPECT_EQ(next_change("age == 10", ages({10'000})), milliseconds(1));
  EXPECT_EQ(next_change("age == 10", ages({10'001})), std::nullopt);
  EXPECT_EQ(next_change("age != 10", ages({9'990})), milliseconds(10));
  EXPECT_EQ(next_change("age != 10", ages({10'000})), milliseconds(1));
  EXPECT_EQ(next_change("age == 10.0005", ages({9'990})), std::nullopt);
}

TEST(NextChangeTest, ConstantsMoveTheSlope) {
  EXPECT_EQ(next_change("2 * age >= 100", ages({10'000})), seconds(40));
  EXPECT_EQ(next_change("age / 60 + 5 >= 15", ages({0})), seconds(600));
  EXPECT_EQ(next_change("100 - age * 4 <= 0", ages({5'000})), seconds(20));
  EXPECT_EQ(next_change("-age <= -10", ages({4'000})), seconds(6));
  EXPECT_EQ(next_change("10 <= age", ages({4'000})), seconds(6));
}

TEST(NextChangeTest, OnlyTheDifferenceOfTheSidesCounts) {
  EXPECT_EQ(next_change("a.age > b.age", ages({1'000, 2'000})), std::nullopt);
  EXPECT_EQ(next_change("2 * a.age >= b.age", ages({1'000, 5'000})), seconds(3));
  EXPECT_EQ(next_change("age - age >= 0", ages({1'000})), std::nullopt);
}

TEST(NextChangeTest, WhatIsNotLinearIsLookedAtEverySecond) {
  EXPECT_EQ(next_change("age * age > 100", ages({1'000})), seconds(1));
  EXPECT_EQ(next_change("1 / age > 100", ages({1'000})), seconds(1));
  EXPECT_EQ(next_change("(age * age) * 2 + 1 > 100", ages({1'000})), seconds(1));
  EXPECT_EQ(next_change("1 / (age - 1) > 100", ages({1'000})), seconds(1));
}

TEST(NextChangeTest, UnknownReadingsChangeByNoTime) {
  EXPECT_EQ(next_change("age > 10", readings({kUnknown})), std::nullopt);
  EXPECT_EQ(next_change("age * value > 10", {{2.0, 1.0}, {std::nullopt, 0.0}}), std::nullopt);
  EXPECT_EQ(next_change("age * age > value", {{2.0, 1.0}, {std::nullopt, 0.0}}), std::nullopt);
  EXPECT_EQ(next_change("age / 0 > 10", ages({1'000})), std::nullopt);
}

TEST(NextChangeTest, TheEarliestPartCounts) {
  EXPECT_EQ(next_change("age >= 10 and age >= 20", ages({0})), seconds(10));
  EXPECT_EQ(next_change("age >= 20 or not age >= 10", ages({0})), seconds(10));
  EXPECT_EQ(next_change("age >= 20 or not age >= 10", ages({15'000})), seconds(5));
  EXPECT_EQ(next_change("age >= 20 or value > 3", {{std::nullopt, 0.0}, {1.0, 0.0}}), std::nullopt);
  EXPECT_EQ(next_change("age >= 20 or value > 3", {{5.0, 1.0}, {std::nullopt, 0.0}}), seconds(15));
}

TEST(NextChangeTest, WhatIsCenturiesAwayIsNever) {
  EXPECT_EQ(next_change("age > 1e12", ages({0})), std::nullopt);
  EXPECT_EQ(next_change("age * 1e-300 > 1", ages({0})), std::nullopt);
  EXPECT_EQ(next_change("age * 1e-300 > 1e300", ages({0})), std::nullopt);
}

TEST(NextChangeTest, AnySlopeIsFollowed) {
  const std::vector<Reading> falling = {{.value = 10.0, .slope = -0.5}};
  EXPECT_EQ(next_change("value <= 4", falling), seconds(12));
  EXPECT_EQ(next_change("value > 11", falling), std::nullopt);
}

// The property: until the predicted time the truth is the same at every ms, and then it is another.
TEST(NextChangeTest, EveryMillisecondAgreesWithThePrediction) {
  const char* const templates[] = {"age O N",
                                   "N O age",
                                   "3 * age - 1 O N",
                                   "age / 7 O N",
                                   "a.age O N - b.age",
                                   "0.1 * a.age O N * b.age",
                                   "age * 0.3 O N + age"};
  const char* const operators[] = {"<", "<=", ">", ">=", "==", "!="};
  std::mt19937_64 random(20260404);
  int changes = 0;
  for (int round = 0; round < 300; ++round) {
    std::string text = templates[random() % std::size(templates)];
    const auto put = [&text](char place, const std::string& what) {
      text.replace(text.find(place), 1, what);
    };
    put('O', operators[random() % std::size(operators)]);
    put('N', std::to_string(random() % 2'000) + "e-3");
    const Condition condition = parsed(text);
    std::vector<std::int64_t> ages_ms;
    for (std::size_t i = 0; i < condition.references().size(); ++i) {
      ages_ms.push_back(static_cast<std::int64_t>(random() % 2'500));
    }
    const Outcome now = condition.evaluate(ages(ages_ms));
    std::optional<Duration> found;
    for (std::int64_t ms = 1; ms <= 8'000 && !found; ++ms) {
      if (condition.evaluate(ages(ages_ms, ms)).truth != now.truth) {
        found = milliseconds(ms);
      }
    }
    if (found || (now.next_change && *now.next_change <= milliseconds(8'000))) {
      EXPECT_EQ(now.next_change, found) << text << " at age " << ages_ms[0] << " ms";
    }
    changes += found ? 1 : 0;
  }
  EXPECT_GT(changes, 60);
}

}  // namespace
}  // namespace rollup::expression
