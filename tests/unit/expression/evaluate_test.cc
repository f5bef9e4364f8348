// SEMANTICS 5: what conditions read, and what they come to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "conditions.h"

namespace rollup::expression {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;

TEST(ConditionTest, EveryComparisonHoldsBelowAtAndAboveItsLimitAsWritten) {
  const struct {
    const char* text;
    Truth below, at, above;
  } cases[] = {
      {"value < 5", Truth::yes, Truth::no, Truth::no},
      {"value <= 5", Truth::yes, Truth::yes, Truth::no},
      {"value > 5", Truth::no, Truth::no, Truth::yes},
      {"value >= 5", Truth::no, Truth::yes, Truth::yes},
      {"value == 5", Truth::no, Truth::yes, Truth::no},
      {"value != 5", Truth::yes, Truth::no, Truth::yes},
  };
  for (const auto& [text, below, at, above] : cases) {
    EXPECT_EQ(truth(text, {4.0}), below) << text;
    EXPECT_EQ(truth(text, {5.0}), at) << text;
    EXPECT_EQ(truth(text, {6.0}), above) << text;
  }
}

TEST(ConditionTest, EqualityIsExact) {
  EXPECT_EQ(truth("value == 0.3", {0.1 + 0.2}), Truth::no);
  EXPECT_EQ(truth("value == 0.3", {0.3}), Truth::yes);
  EXPECT_EQ(truth("value == 0", {-0.0}), Truth::yes);
  EXPECT_EQ(truth("value == 9007199254740992", {9007199254740992.0}), Truth::yes);
}

TEST(ConditionTest, ArithmeticBindsAsUsual) {
  EXPECT_EQ(truth("2 + 3 * 4 == 14"), Truth::yes);
  EXPECT_EQ(truth("(2 + 3) * 4 == 20"), Truth::yes);
  EXPECT_EQ(truth("10 - 4 - 3 == 3"), Truth::yes);
  EXPECT_EQ(truth("100 / 10 / 5 == 2"), Truth::yes);
  EXPECT_EQ(truth("100 / 10 * 5 == 50"), Truth::yes);
  EXPECT_EQ(truth("-2 * -3 == 6"), Truth::yes);
  EXPECT_EQ(truth("--2 == 2"), Truth::yes);
  EXPECT_EQ(truth("-(2 + 3) == -5"), Truth::yes);
  EXPECT_EQ(truth("1e3 + 0.5 == 1000.5"), Truth::yes);
  EXPECT_EQ(truth("2-1==1"), Truth::yes);
}

TEST(ConditionTest, AndBindsTighterThanOr) {
  EXPECT_EQ(truth("1 < 2 or 1 < 2 and 2 < 1"), Truth::yes);
  EXPECT_EQ(truth("(1 < 2 or 1 < 2) and 2 < 1"), Truth::no);
  EXPECT_EQ(truth("2 < 1 and 2 < 1 or 1 < 2"), Truth::yes);
}

TEST(ConditionTest, NotTakesTheComparisonAfterItAndNothingMore) {
  EXPECT_EQ(truth("not 2 < 1 and 2 < 1"), Truth::no);
  EXPECT_EQ(truth("not (2 < 1 and 2 < 1)"), Truth::yes);
  EXPECT_EQ(truth("not 1 < 2 or 1 < 2"), Truth::yes);
  EXPECT_EQ(truth("not value + 1 > 3", {1.0}), Truth::yes);
}

TEST(ConditionTest, ParenthesesHoldConditionsAndSumsAlike) {
  EXPECT_EQ(truth("((value)) > ((3))", {4.0}), Truth::yes);
  EXPECT_EQ(truth("((value > 3))", {4.0}), Truth::yes);
  EXPECT_EQ(truth("(value + 1) * 2 > 9 and (not (value > 5))", {4.0}), Truth::yes);
}

TEST(ConditionTest, DurationsStandForTheirSeconds) {
  EXPECT_EQ(truth("age > 10m", {600.5}), Truth::yes);
  EXPECT_EQ(truth("age > 10m", {600.0}), Truth::no);
  EXPECT_EQ(truth("1h30m == 5400"), Truth::yes);
  EXPECT_EQ(truth("500ms == 0.5"), Truth::yes);
}

TEST(ConditionTest, TextsAreEqualOrNot) {
  EXPECT_EQ(truth(R"("open" == "open")"), Truth::yes);
  EXPECT_EQ(truth(R"("open" == "Open")"), Truth::no);
  EXPECT_EQ(truth(R"("open" != "shut")"), Truth::yes);
  EXPECT_EQ(truth(R"("a\"b\\" == "a\"b\\" and value > 1)", {2.0}), Truth::yes);
}

TEST(ConditionTest, EachReferenceIsListedOnceInTheOrderOfTheText) {
  const Condition condition =
      parsed("avg(5m) > 8 and door.value > avg(5m) or avg(300s) < \"fridge-door\".delta(1h) + age");
  EXPECT_THAT(condition.references(),
              ElementsAre(Reference{"", Function::over_time, minutes(5), Statistic::avg},
                          Reference{"door", Function::value, Duration{0}},
                          Reference{"fridge-door", Function::over_time, hours(1), Statistic::delta},
                          Reference{"", Function::age, Duration{0}}));
}

TEST(ConditionTest, EveryFunctionIsKnownByItsName) {
  EXPECT_THAT(parsed("value > 0").references(),
              ElementsAre(Reference{"", Function::value, Duration{0}}));
  EXPECT_THAT(parsed("age > 0").references(),
              ElementsAre(Reference{"", Function::age, Duration{0}}));
  for (const StatisticRow& row : kStatistics) {
    EXPECT_THAT(
        parsed(std::string(row.name) + "(90s) > 0").references(),
        ElementsAre(Reference{"", Function::over_time, std::chrono::seconds(90), row.statistic}))
        << row.name;
  }
}

TEST(ConditionTest, StreamsMayBeCalledAsFunctionsAreAndInQuotesAsKeywords) {
  EXPECT_THAT(parsed("value.value > 0 and \"and\".avg(1m) > 0").references(),
              ElementsAre(Reference{"value", Function::value, Duration{0}},
                          Reference{"and", Function::over_time, minutes(1), Statistic::avg}));
}

TEST(ConditionTest, BlanksAndLineEndsMeanNothing) {
  EXPECT_EQ(truth(" \tvalue\n>\r\n3 and\nnot(value>9)", {4.0}), Truth::yes);
  EXPECT_THAT(parsed("door . avg ( 5m ) > 1").references(),
              ElementsAre(Reference{"door", Function::over_time, minutes(5), Statistic::avg}));
}

TEST(ConditionTest, UnknownComparesToUnknown) {
  for (const char* op : {"<", "<=", ">", ">=", "==", "!="}) {
    const std::string text = std::string("value ") + op + " 5";
    EXPECT_EQ(truth(text, {kUnknown}), Truth::unknown) << text;
  }
  EXPECT_EQ(truth("value == value", {kUnknown}), Truth::unknown);
  EXPECT_EQ(truth("value * 0 == 0", {kUnknown}), Truth::unknown);
  EXPECT_EQ(truth("-value + 1 - 2 > 0", {kUnknown}), Truth::unknown);
}

TEST(ConditionTest, ReadingsThatAreNoNumbersAreUnknown) {
  EXPECT_EQ(truth("value > 5", {std::numeric_limits<double>::infinity()}), Truth::unknown);
  EXPECT_EQ(truth("value != 5", {std::nan("")}), Truth::unknown);
}

TEST(ConditionTest, DivisionByZeroAndOverflowAreUnknown) {
  EXPECT_EQ(truth("1 / value > 0", {0.0}), Truth::unknown);
  EXPECT_EQ(truth("value / 0 == value / 0", {1.0}), Truth::unknown);
  EXPECT_EQ(truth("0 / 0 != 1"), Truth::unknown);
  EXPECT_EQ(truth("value * value > 0", {1e200}), Truth::unknown);
  EXPECT_EQ(truth("1 / value > 0 or 1 < 2", {0.0}), Truth::yes);
}

// "value > 0" with 1, -1 and unknown is yes, no and unknown; so is the other side.
std::optional<double> reading_of(Truth truth) {
  return truth == Truth::unknown ? std::nullopt : std::optional(truth == Truth::yes ? 1.0 : -1.0);
}

TEST(ConditionTest, ThreeValuedLogicIsKleenesForEveryPair) {
  const Truth yes = Truth::yes;
  const Truth no = Truth::no;
  const Truth unknown = Truth::unknown;
  const struct {
    Truth left, right, both, either;
  } table[] = {
      {yes, yes, yes, yes},
      {yes, no, no, yes},
      {yes, unknown, unknown, yes},
      {no, yes, no, yes},
      {no, no, no, no},
      {no, unknown, no, unknown},
      {unknown, yes, unknown, yes},
      {unknown, no, no, unknown},
      {unknown, unknown, unknown, unknown},
  };
  for (const auto& row : table) {
    const auto left = reading_of(row.left);
    const auto right = reading_of(row.right);
    EXPECT_EQ(truth("a.value > 0 and b.value > 0", {left, right}), row.both);
    EXPECT_EQ(truth("a.value > 0 or b.value > 0", {left, right}), row.either);
  }
  EXPECT_EQ(truth("not value > 0", {reading_of(yes)}), no);
  EXPECT_EQ(truth("not value > 0", {reading_of(no)}), yes);
  EXPECT_EQ(truth("not value > 0", {reading_of(unknown)}), unknown);
}

TEST(ConditionTest, ADeepConditionNeedsNoDeepStack) {
  std::string text;
  for (int i = 0; i < Condition::kNestingMax; ++i) {
    text += "(1 + 2 * ";
  }
  text += "value" + std::string(Condition::kNestingMax, ')') + " > 0 and value == 1";
  EXPECT_EQ(truth(text, {1.0}), Truth::yes);
}

TEST(ConditionTest, AConditionThatWasNeverParsedIsUnknown) {
  EXPECT_EQ(Condition{}.evaluate({}), Outcome{});
}

TEST(ConditionTest, ExplainPutsTheValueAfterEachReference) {
  const Condition condition =
      parsed("avg(5m) > 8 and not \"fridge-door\".value > 0 or avg( 5m ) < 2");
  EXPECT_EQ(condition.explain(readings({9.25, kUnknown}), 1),
            "avg(5m) [9.2] > 8 and not \"fridge-door\".value [?] > 0 or avg( 5m ) [9.2] < 2");
  EXPECT_EQ(parsed("1 < 2").explain({}, 1), "1 < 2");
  EXPECT_EQ(parsed("(value)>1").explain(readings({std::nan("")}), 1), "(value [?])>1");
}

TEST(ConditionTest, TextIsKeptAsItWasWritten) {
  EXPECT_EQ(parsed(" value  > 3 ").text(), " value  > 3 ");
}

}  // namespace
}  // namespace rollup::expression
