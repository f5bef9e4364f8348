// What conditions are refused, and that the message says where and why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conditions.h"

namespace rollup::expression {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

TEST(ConditionErrorTest, ErrorsAreBadConfigWithoutAPlace) {
  const Result<Condition> condition = Condition::parse("valeu > 3");
  ASSERT_FALSE(condition.has_value());
  EXPECT_EQ(condition.error().code, ErrorCode::bad_config);
  EXPECT_EQ(condition.error().place, "");
}

TEST(ConditionErrorTest, AMisspeltFunctionNamesTheNearest) {
  EXPECT_EQ(refusal("valeu > 3"), "column 1: unknown function \"valeu\", did you mean value?");
  EXPECT_EQ(refusal("1 > stdev(5m)"), "column 5: unknown function \"stdev\", did you mean stddev?");
  EXPECT_EQ(refusal("door.AVG(5m) > 1"), "column 6: unknown function \"AVG\", did you mean avg?");
}

TEST(ConditionErrorTest, AStreamWithoutAFunctionIsToldHowToBeRead) {
  EXPECT_THAT(refusal("temperature > 3"),
              AllOf(StartsWith("column 1: unknown function \"temperature\", expected one of value, "
                               "age, avg"),
                    HasSubstr("temperature.value")));
}

TEST(ConditionErrorTest, AStreamWithADashIsToldAboutQuotes) {
  EXPECT_THAT(refusal("fridge-door.value > 3"), HasSubstr("in quotes, e.g. \"fridge-1\".value"));
}

TEST(ConditionErrorTest, ColumnsCountCharactersNotBytes) {
  EXPECT_THAT(refusal("\"Kühlschrank\".valeu > 3"), StartsWith("column 15: "));
  EXPECT_THAT(refusal("value > 3 °C"), StartsWith("column 11: found \"°\""));
}

TEST(ConditionErrorTest, WhatIsFoundAndWhatWasExpectedIsSaid) {
  EXPECT_EQ(
      refusal(""),
      "column 1: found the end, expected a number, a duration, value, age, avg(5m) or another "
      "function, or (");
  EXPECT_THAT(refusal("value >"), StartsWith("column 8: found the end, expected a number"));
  EXPECT_THAT(refusal("value > and"), StartsWith("column 9: found \"and\", expected a number"));
  EXPECT_EQ(refusal("value > 3 4"),
            "column 11: found \"4\", expected an operator, and, or, or the end");
  EXPECT_EQ(refusal("(value > 3"),
            "column 11: found the end, expected an operator or the ) for the ( in column 1");
  EXPECT_THAT(refusal("value > 3)"), StartsWith("column 10: found \")\""));
  EXPECT_THAT(refusal("value > 3 AND value < 9"), HasSubstr("did you mean \"and\"?"));
  EXPECT_THAT(refusal("value > 3 && value < 9"), HasSubstr("write and"));
  EXPECT_THAT(refusal("value > 3 || value < 9"), HasSubstr("write or"));
  EXPECT_THAT(refusal("value = 3"), AllOf(StartsWith("column 7: "), HasSubstr("write ==")));
  EXPECT_THAT(refusal("!(value > 3)"), HasSubstr("write not"));
  EXPECT_THAT(refusal("value == 'open'"), HasSubstr("double quotes"));
  EXPECT_THAT(refusal("door. > 3"), HasSubstr("expected a function of stream \"door\""));
  EXPECT_THAT(refusal("\"\".value > 3"), HasSubstr("name of a stream is missing"));
  EXPECT_THAT(refusal("+3 > value"), StartsWith("column 1: found \"+\""));
}

TEST(ConditionErrorTest, NotStandsOnceBeforeAComparison) {
  EXPECT_THAT(refusal("not not value > 3"), StartsWith("column 5: found \"not\""));
  EXPECT_THAT(refusal("not value"), StartsWith("column 5: expected a comparison after not"));
  EXPECT_THAT(refusal("3 + not value > 3"), StartsWith("column 5: found \"not\""));
}

TEST(ConditionErrorTest, FunctionsOverATimeNeedOneAndTheOthersTakeNone) {
  EXPECT_EQ(refusal("avg > 3"),
            "column 5: found \">\", avg needs a time in brackets, e.g. avg(5m)");
  EXPECT_EQ(refusal("avg(5) > 3"),
            "column 5: found \"5\", avg needs a time in brackets, e.g. avg(5m)");
  EXPECT_THAT(refusal("avg() > 3"), HasSubstr("avg needs a time"));
  EXPECT_THAT(refusal("avg(value) > 3"), HasSubstr("avg needs a time"));
  EXPECT_EQ(refusal("avg(0s) > 3"), "column 5: the time in brackets must be longer than 0");
  EXPECT_THAT(refusal("avg(5m > 3"), StartsWith("column 8: found \">\", expected )"));
  EXPECT_EQ(refusal("value() > 3"), "column 6: value takes no brackets");
  EXPECT_EQ(refusal("door.age(5m) > 3"), "column 9: age takes no brackets");
}

TEST(ConditionErrorTest, TextsAndNumbersDoNotMix) {
  EXPECT_EQ(refusal("value == \"open\""), "column 10: a text cannot be compared with a number");
  EXPECT_EQ(refusal("\"open\" != door.value"), "column 1: a text cannot be compared with a number");
  EXPECT_EQ(refusal("value + \"1\" > 2"), "column 9: a text cannot be used in arithmetic");
  EXPECT_EQ(refusal("2 * (\"1\") > 2"), "column 5: a text cannot be used in arithmetic");
  EXPECT_EQ(refusal("-\"1\" > 2"), "column 2: expected a number after -");
  EXPECT_EQ(refusal("\"a\" < \"b\""), "column 1: texts can be compared with == and != only");
}

TEST(ConditionErrorTest, ComparisonsAreNoNumbersAndNumbersNoComparisons) {
  EXPECT_EQ(refusal("value"),
            "column 1: this is no condition: expected a comparison, e.g. value > 30");
  EXPECT_EQ(refusal("\"open\""),
            "column 1: this is no condition: expected a comparison, e.g. value > 30");
  EXPECT_EQ(refusal("1 < value < 3"),
            "column 11: comparisons cannot be chained, join two of them with and");
  EXPECT_THAT(refusal("(1 < value) == (value < 3)"),
              StartsWith("column 1: a comparison cannot be"));
  EXPECT_THAT(refusal("1 + (1 < value) > 3"), StartsWith("column 5: a comparison cannot be used"));
  EXPECT_THAT(refusal("-(1 < value) > 3"), StartsWith("column 2: expected a number after -"));
  EXPECT_THAT(refusal("value and value > 3"), StartsWith("column 1: expected a comparison before"));
  EXPECT_THAT(refusal("value > 3 or value"), StartsWith("column 14: expected a comparison after"));
}

TEST(ConditionErrorTest, NumbersAndDurationsThatAreNone) {
  EXPECT_THAT(refusal("age > 5min"), AllOf(StartsWith("column 7: "), HasSubstr("90s, 5m, 1h30m")));
  EXPECT_THAT(refusal("age > 1.5h"), StartsWith("column 7: "));
  EXPECT_THAT(refusal("value > 1e999"), HasSubstr("out of range"));
  EXPECT_THAT(refusal("value > .5"), StartsWith("column 9: "));
  EXPECT_THAT(refusal("value > 1_000"), StartsWith("column 9: "));
  EXPECT_THAT(refusal("age > 99999999999999999999w"), StartsWith("column 7: "));
}

TEST(ConditionErrorTest, TextsMustEnd) {
  EXPECT_THAT(refusal("\"open"), AllOf(StartsWith("column 1: "), HasSubstr("closing quote")));
  EXPECT_THAT(refusal("\"op\\en\" == \"x\""), HasSubstr("after \\"));
  EXPECT_THAT(refusal("\"open\\"), HasSubstr("after \\"));
}

TEST(ConditionErrorTest, ValuesThatAreWrittenAsForPeopleAreExplained) {
  EXPECT_EQ(refusal("value > 30 °C"), "column 12: found \"°\", leave the unit out");
  EXPECT_EQ(refusal("value > 30 %"), "column 12: found \"%\", leave the unit out");
  EXPECT_EQ(refusal("value > 30,5"), "column 11: found \",\", numbers have a point, as 30.5");
}

TEST(ConditionErrorTest, NestingIsLimitedSoThatNoInputOverflowsTheStack) {
  const std::string open(static_cast<std::size_t>(Condition::kNestingMax), '(');
  const std::string close(static_cast<std::size_t>(Condition::kNestingMax), ')');
  EXPECT_EQ(refusal(open + "value" + close + " > 1"), "accepted");
  EXPECT_EQ(refusal("(" + open + "value" + close + ") > 1"), "column 65: nested too deeply");
  EXPECT_EQ(refusal(std::string(4000, '(')), "column 65: nested too deeply");
  EXPECT_EQ(refusal(std::string(4000, '-')), "column 65: nested too deeply");
}

TEST(ConditionErrorTest, LengthIsLimited) {
  const std::string text = "value > 3";
  EXPECT_EQ(refusal(text + std::string(Condition::kTextBytesMax - text.size(), ' ')), "accepted");
  EXPECT_EQ(refusal(text + std::string(Condition::kTextBytesMax - text.size() + 1, ' ')),
            "a condition may have at most 4096 bytes, this one has 4097");
}

TEST(ConditionErrorTest, HostileBytesAreRefusedInAMessageThatCanBePrinted) {
  EXPECT_EQ(refusal("value > \xff"), "a condition must be UTF-8");
  EXPECT_EQ(refusal(std::string("value > \0", 9)),
            "column 9: found \"?\", this character means nothing here");
  EXPECT_THAT(refusal(std::string(4000, 'x')),
              StartsWith("column 1: unknown function \"" + std::string(32, 'x') + "…\""));
}

}  // namespace
}  // namespace rollup::expression
