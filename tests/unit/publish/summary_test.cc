// docs/PAYLOADS.md: the formats of outputs.
#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <rollup/v1/rollup.pb.h>

#include "examples.h"

namespace rollup::publish {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string json_of(const Summary& summary, SummaryStyle how = style(OutputFormat::json)) {
  return encode(summary, how).value();
}

std::string text_of(const Summary& summary, SummaryStyle how = style(OutputFormat::text)) {
  return encode(summary, how).value();
}

// Held all the time, but without a sample in the window.
Summary held_only() {
  Summary summary = example_summary();
  summary.spark.clear();
  summary.aggregate = Aggregate{};
  summary.aggregate.add_held(4.5, std::chrono::hours(1));
  summary.value = 4.5;
  return summary;
}

TEST(JsonSummaryTest, MembersComeInTheDocumentedOrder) {
  EXPECT_THAT(
      member_names(json_of(example_summary())),
      ElementsAre("value", "unit", "avg", "mean", "min", "max", "sum", "first", "last", "stddev",
                  "count", "covered", "window", "start", "end", "rev", "final", "spark"));
}

TEST(JsonSummaryTest, WhatIsNotKnownIsMissingExceptTheValueWhichIsNull) {
  Summary summary = held_only();
  EXPECT_THAT(member_names(json_of(summary)),
              ElementsAre("value", "unit", "avg", "min", "max", "count", "covered", "window",
                          "start", "end", "rev", "final"));
  summary.value.reset();
  EXPECT_THAT(json_of(summary), StartsWith("{\"value\":null,\"unit\":\"°C\",\"avg\":4.5,"));
}

// What a meter of whole watt hours counted in an hour, of which a quarter is known.
Summary counted() {
  Summary summary = example_summary();
  summary.spark.clear();
  summary.value = 5004;
  summary.is_known = false;
  summary.aggregate = Aggregate(kCounterParts);
  summary.aggregate.add_held(5000, std::chrono::minutes(15));
  summary.aggregate.add_sample(summary.start, 5004);
  summary.aggregate.add_increase({4, 1});
  return summary;
}

TEST(JsonSummaryTest, ACounterTellsWhatItCountedInPlaceOfWhatAGaugeTells) {  // SEMANTICS 3.5
  SummaryStyle how = style(OutputFormat::json);
  how.decimals = 0;
  Summary summary = counted();
  EXPECT_THAT(json_of(summary, how),
              StartsWith(R"({"value":5004,"unit":"°C","increase":4,"resets":1,"count":1,)"));
  summary.is_known = true;
  EXPECT_THAT(json_of(summary, how), HasSubstr(R"("increase":4,"rate":0.004444444,"resets":1,)"));
}

TEST(TextSummaryTest, ACounterTellsItsIncrease) {
  SummaryStyle how = style(OutputFormat::text);
  how.decimals = 0;
  EXPECT_THAT(text_of(counted(), how), HasSubstr("increase 4 (1 h, 1 sample)"));
}

TEST(ProtobufSummaryTest, ACounterHasFieldsOfItsOwn) {
  v1::Summary message;
  ASSERT_TRUE(message.ParseFromString(*encode(counted(), style(OutputFormat::protobuf))));
  EXPECT_EQ(message.increase(), 4);
  EXPECT_EQ(message.resets(), 1);
  EXPECT_FALSE(message.has_rate());
  EXPECT_FALSE(message.has_avg());
}

TEST(JsonSummaryTest, AMissingUnitIsNoMember) {
  SummaryStyle how = style(OutputFormat::json);
  how.unit.clear();
  EXPECT_THAT(json_of(example_summary(), how), StartsWith("{\"value\":22.1,\"avg\":21.5,"));
}

TEST(JsonSummaryTest, NumbersAreRoundedDecimalsWithoutExponentOrTrailingZeros) {
  Summary summary = example_summary();
  summary.value = 21.10000000000001;
  summary.aggregate.min = -0.04;
  summary.aggregate.max = 1e15;
  summary.aggregate.last = 2.0;
  const std::string payload = json_of(summary);
  EXPECT_THAT(payload, HasSubstr("\"value\":21.1,"));
  EXPECT_THAT(payload, HasSubstr("\"min\":0,"));
  EXPECT_THAT(payload, HasSubstr("\"max\":1000000000000000,"));
  EXPECT_THAT(payload, HasSubstr("\"last\":2,"));
}

TEST(JsonSummaryTest, AveragesOfWholeNumbersHaveTwoDecimals) {
  SummaryStyle how = style(OutputFormat::json);
  how.decimals = 0;
  Summary summary = example_summary();
  summary.aggregate.sum = 288 * 3 + 1;
  const std::string payload = json_of(summary, how);
  EXPECT_THAT(payload, HasSubstr("\"value\":22,"));
  EXPECT_THAT(payload, HasSubstr("\"avg\":21.5,\"mean\":3,\"min\":18,\"max\":26,"));
  EXPECT_THAT(payload, HasSubstr("\"spark\":[18.4,19,null,"));
}

TEST(JsonSummaryTest, TextsAreEscaped) {
  SummaryStyle how = style(OutputFormat::json);
  how.unit = "\"\\\n%";
  EXPECT_THAT(json_of(example_summary(), how), HasSubstr(R"("unit":"\"\\%")"));
}

TEST(JsonSummaryTest, RevisionAndFinalityAreSaid) {
  Summary summary = example_summary();
  summary.rev = 3;
  summary.final = true;
  EXPECT_THAT(json_of(summary), HasSubstr("\"rev\":3,\"final\":true,"));
}

TEST(NumberSummaryTest, EachAggregateCanBeChosen) {
  const std::pair<Statistic, const char*> expected[] = {
      {Statistic::avg, "21.5"},   {Statistic::mean, "21"},   {Statistic::min, "18.4"},
      {Statistic::max, "25.5"},   {Statistic::sum, "6048"},  {Statistic::count, "288"},
      {Statistic::first, "18.4"}, {Statistic::last, "22.1"}, {Statistic::stddev, "2.3"}};
  for (const auto& [kind, text] : expected) {
    SummaryStyle how = style(OutputFormat::number);
    how.statistic = kind;
    EXPECT_EQ(encode(example_summary(), how), text) << to_string(kind);
  }
}

TEST(NumberSummaryTest, AnUnknownAggregateIsNotPublished) {
  SummaryStyle how = style(OutputFormat::number);
  how.statistic = Statistic::last;
  EXPECT_EQ(encode(held_only(), how), std::nullopt);
  how.statistic = Statistic::sum;
  EXPECT_EQ(encode(held_only(), how), std::nullopt);
  how.statistic = Statistic::count;
  EXPECT_EQ(encode(held_only(), how), "0");
}

TEST(NumberSummaryTest, ANumberIsNeverCut) {
  SummaryStyle how = style(OutputFormat::number);
  how.statistic = Statistic::max;
  how.bytes_max = 64;
  Summary summary = example_summary();
  summary.aggregate.max = 1e100;
  EXPECT_EQ(encode(summary, how), std::nullopt);
}

TEST(TextSummaryTest, TheSecondLineIsTheCurve) {
  EXPECT_EQ(text_of(example_summary()),
            "22.1 °C   min 18.4 · mean 21.0 · max 25.5 (1 h, 288 samples)\n▁▂ ▄▆█▇▅");
}

TEST(TextSummaryTest, ADayIsTwentyFourHoursAndOneSampleIsOne) {
  Summary summary = example_summary();
  summary.spark.clear();
  summary.window = std::chrono::hours(24);
  EXPECT_EQ(text_of(summary), "22.1 °C   min 18.4 · mean 21.0 · max 25.5 (24 h, 288 samples)");
  summary.aggregate = Aggregate{};
  summary.aggregate.add_sample(summary.start, 22.1);
  EXPECT_EQ(text_of(summary), "22.1 °C   min 22.1 · mean 22.1 · max 22.1 (24 h, 1 sample)");
}

TEST(TextSummaryTest, TheMeanOfWholeNumbersHasOneDecimalMoreThanThey) {
  SummaryStyle how = style(OutputFormat::text);
  how.decimals = 0;
  Summary summary = example_summary();
  summary.spark.clear();
  summary.value = 22;
  summary.aggregate.min = 18;
  summary.aggregate.max = 26;
  EXPECT_EQ(text_of(summary, how), "22 °C   min 18 · mean 21.0 · max 26 (1 h, 288 samples)");
  how.decimals = 2;
  EXPECT_EQ(text_of(summary, how),
            "22.00 °C   min 18.00 · mean 21.00 · max 26.00 (1 h, 288 samples)");
}

TEST(TextSummaryTest, WhatIsNotKnownIsLeftOut) {
  Summary summary = held_only();
  EXPECT_EQ(text_of(summary), "4.5 °C   min 4.5 · max 4.5 (1 h, 0 samples)");
  summary.aggregate = Aggregate{};
  EXPECT_EQ(text_of(summary), "4.5 °C   (1 h, 0 samples)");
  SummaryStyle how = style(OutputFormat::text);
  how.unit.clear();
  summary = held_only();
  summary.value.reset();
  EXPECT_EQ(text_of(summary, how), "?   min 4.5 · max 4.5 (1 h, 0 samples)");
}

TEST(TextSummaryTest, ACurveOfGapsIsNoCurve) {
  Summary summary = example_summary();
  summary.spark.assign(24, std::nullopt);
  EXPECT_THAT(text_of(summary), Not(HasSubstr("\n")));
}

TEST(ProtobufSummaryTest, HasTheSameContentAsJson) {
  v1::Summary message;
  ASSERT_TRUE(
      message.ParseFromString(encode(example_summary(), style(OutputFormat::protobuf)).value()));
  v1::Summary expected;
  expected.set_value(22.1);
  expected.set_unit("°C");
  expected.set_avg(21.5);
  expected.set_mean(21);
  expected.set_min(18.4);
  expected.set_max(25.5);
  expected.set_sum(6048);
  expected.set_first(18.4);
  expected.set_last(22.1);
  expected.set_stddev(2.3);
  expected.set_count(288);
  expected.set_covered(0.97812);
  expected.set_window_ms(3'600'000);
  expected.set_start_ms(1'775'304'000'000);
  expected.set_end_ms(1'775'307'600'000);
  expected.set_rev(1);
  for (const std::optional<double>& value : example_summary().spark) {
    v1::SparkPoint* point = expected.add_spark();
    if (value) {
      point->set_value(*value);
    }
  }
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::ApproximatelyEquals(message, expected))
      << message.DebugString();
}

TEST(ProtobufSummaryTest, WhatIsNotKnownIsAbsent) {
  Summary summary = held_only();
  summary.value.reset();
  v1::Summary message;
  ASSERT_TRUE(message.ParseFromString(encode(summary, style(OutputFormat::protobuf)).value()));
  EXPECT_FALSE(message.has_value());
  EXPECT_FALSE(message.has_mean());
  EXPECT_FALSE(message.has_sum());
  EXPECT_FALSE(message.has_last());
  EXPECT_TRUE(message.has_avg());
  EXPECT_TRUE(message.has_min());
}

TEST(ProtobufSummaryTest, LosesItsCurveThenItsUnitRatherThanItsLimit) {
  Summary summary = example_summary();
  summary.spark.assign(1'000, 1.5);
  SummaryStyle how = style(OutputFormat::protobuf);
  v1::Summary message;
  ASSERT_TRUE(message.ParseFromString(encode(summary, how).value()));
  EXPECT_EQ(message.spark_size(), 0);
  EXPECT_EQ(message.unit(), "°C");
  how.unit.assign(5'000, 'x');
  ASSERT_TRUE(message.ParseFromString(encode(summary, how).value()));
  EXPECT_EQ(message.unit(), "");
  EXPECT_EQ(message.count(), 288U);
}

// SEMANTICS 1.8.
TEST(SummaryTest, NothingIsSaidOfAGapInAnyFormat) {
  Summary gap = example_summary();
  gap.value.reset();
  gap.aggregate = Aggregate{};
  gap.covered = 0;
  for (const OutputFormat format :
       {OutputFormat::json, OutputFormat::number, OutputFormat::text, OutputFormat::protobuf}) {
    EXPECT_EQ(encode(gap, style(format)), std::nullopt);
  }
  SummaryStyle how = style(OutputFormat::number);
  how.statistic = Statistic::count;
  EXPECT_EQ(encode(gap, how), std::nullopt);
}

TEST(SummaryTest, EqualSummariesAreEqualBytes) {
  for (const OutputFormat format :
       {OutputFormat::json, OutputFormat::number, OutputFormat::text, OutputFormat::protobuf}) {
    EXPECT_EQ(encode(example_summary(), style(format)), encode(example_summary(), style(format)));
  }
}

}  // namespace
}  // namespace rollup::publish
