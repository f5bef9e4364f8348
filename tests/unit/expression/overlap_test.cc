// ejabberd/README.md: `raise` and `clear` may not both be true.
#include <gtest/gtest.h>

#include "conditions.h"

namespace rollup::expression {
namespace {

bool overlap(std::string_view raise, std::string_view clear) {
  const bool result = surely_overlap(parsed(raise), parsed(clear));
  EXPECT_EQ(surely_overlap(parsed(clear), parsed(raise)), result) << raise << " / " << clear;
  return result;
}

TEST(OverlapTest, ABandBetweenTheLimitsKeepsThemApart) {
  EXPECT_TRUE(overlap("value > 8", "value > 5"));
  EXPECT_FALSE(overlap("value > 8", "value < 7"));
  EXPECT_TRUE(overlap("value > 8", "value < 9"));
  EXPECT_FALSE(overlap("avg(5m) < 2", "avg(5m) > 4"));
}

TEST(OverlapTest, TouchingLimitsOverlapOnlyWhereBothIncludeTheLimit) {
  EXPECT_FALSE(overlap("value > 8", "value < 8"));
  EXPECT_FALSE(overlap("value > 8", "value <= 8"));
  EXPECT_FALSE(overlap("value >= 8", "value < 8"));
  EXPECT_TRUE(overlap("value >= 8", "value <= 8"));
}

TEST(OverlapTest, EqualityIsAPoint) {
  EXPECT_TRUE(overlap("value == 1", "value > 0"));
  EXPECT_FALSE(overlap("value == 1", "value == 0"));
  EXPECT_FALSE(overlap("value == 1", "value != 1"));
  EXPECT_TRUE(overlap("value != 1", "value != 2"));
  EXPECT_TRUE(overlap("value != 1", "value > 5"));
}

TEST(OverlapTest, TheNumberMayStandFirstAndBeCalculated) {
  EXPECT_TRUE(overlap("8 < value", "value > 5"));
  EXPECT_FALSE(overlap("8 < value", "7 > value"));
  EXPECT_FALSE(overlap("value > 2 * 4", "value < -(1 - 8)"));
  EXPECT_TRUE(overlap("age > 10m", "age > 5m"));
}

TEST(OverlapTest, CountsAreWholeAgesAreMillisecondsAndNeitherIsNegative) {
  EXPECT_FALSE(overlap("count(5m) > 1", "count(5m) < 2"));
  EXPECT_TRUE(overlap("count(5m) > 1", "count(5m) < 3"));
  EXPECT_FALSE(overlap("count(5m) < 5", "count(5m) < 0"));
  EXPECT_FALSE(overlap("age > 1.0001", "age < 1.0002"));
  EXPECT_TRUE(overlap("age > 1", "age < 1.002"));
  EXPECT_FALSE(overlap("stddev(5m) < 0", "stddev(5m) < 1"));
  EXPECT_TRUE(overlap("value < 0", "value < 1"));
}

TEST(OverlapTest, WhatIsNotOneComparisonOfOneReferenceIsNotAnswered) {
  EXPECT_FALSE(overlap("value > 8", "avg(5m) > 5"));
  EXPECT_FALSE(overlap("avg(5m) > 8", "avg(10m) > 5"));
  EXPECT_FALSE(overlap("value > 8", "door.value > 5"));
  EXPECT_FALSE(overlap("value > 8 and value > 9", "value > 5"));
  EXPECT_FALSE(overlap("value + 1 > 8", "value > 5"));
  EXPECT_FALSE(overlap("value > value", "value > 5"));
  EXPECT_FALSE(overlap("1 < 2", "1 < 3"));
  EXPECT_FALSE(overlap("value > 1 / 0", "value > 5"));
}

}  // namespace
}  // namespace rollup::expression
