// The traps of the DinoX client (docs/PAYLOADS.md, "What holds for every payload"), each by the
// name it has in the notes on that client, T1 to T8. T6 and T7 are about MQTT properties and
// topics, not about payloads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <optional>
#include <random>

#include "examples.h"

namespace rollup::publish {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr OutputFormat kForPeople[] = {OutputFormat::json, OutputFormat::number,
                                       OutputFormat::text};

// What DinoX charts: all of the payload as a number, else the first member of an object that is
// one.
std::optional<double> charted(const std::string& payload) {
  const std::string text = payload.substr(0, payload.find_last_not_of(' ') + 1);
  char* end = nullptr;
  const double whole = std::strtod(text.c_str(), &end);
  if (!text.empty() && end == text.c_str() + text.size()) {
    return whole;
  }
  rapidjson::Document document;
  document.Parse<rapidjson::kParseFullPrecisionFlag>(payload.c_str());
  if (!document.HasParseError() && document.IsObject()) {
    for (const auto& member : document.GetObject()) {
      if (member.value.IsNumber()) {
        return member.value.GetDouble();
      }
    }
  }
  return std::nullopt;
}

bool is_misread(std::size_t size) { return size >= 24 && size % 16 == 8; }

TEST(TrapTest, T1NoPayloadIsEmpty) {
  std::string payload;
  pad_payload(payload, 4096);
  EXPECT_EQ(payload, " ");
  Summary nothing;
  nothing.value = 0;
  nothing.rev = 0;
  SummaryStyle how;
  how.format = OutputFormat::protobuf;
  EXPECT_NE(encode(nothing, how).value(), "");
  EXPECT_NE(encode(AlertFacts{}, 4096), "");
}

TEST(TrapTest, T2NoLengthOfOneTo400BytesIsMisread) {
  for (std::size_t size = 1; size <= 400; ++size) {
    std::string payload(size, 'x');
    pad_payload(payload, 4096);
    EXPECT_FALSE(is_misread(payload.size())) << size;
    EXPECT_EQ(payload, std::string(size, 'x') + (is_misread(size) ? " " : ""));
  }
}

TEST(TrapTest, T2HoldsAtEveryLimitToo) {
  for (std::size_t bytes_max = 1; bytes_max <= 100; ++bytes_max) {
    for (std::size_t size = 0; size <= 110; ++size) {
      std::string payload(size, 'x');
      pad_payload(payload, bytes_max);
      EXPECT_FALSE(is_misread(payload.size()));
      EXPECT_LE(payload.size(), bytes_max);
      EXPECT_FALSE(payload.empty());
    }
  }
}

TEST(TrapTest, T2HoldsForEveryEncoder) {
  for (std::size_t length = 0; length < 40; ++length) {
    SummaryStyle how = style(OutputFormat::json);
    how.unit.assign(length, 'u');
    for (const OutputFormat format : kForPeople) {
      how.format = format;
      EXPECT_FALSE(is_misread(encode(example_summary(), how).value().size()));
    }
    AlertFacts facts = example_alarm();
    facts.series.assign(length, 's');
    EXPECT_FALSE(is_misread(encode(facts, 4096).size()));
    facts.alert.assign(5'000, 'a');
    EXPECT_FALSE(is_misread(encode(facts, 4096).size()));
    EXPECT_FALSE(is_misread(encode(facts, 64).size()));
  }
}

TEST(TrapTest, T2ALimitWithoutRoomForTheBlankDoesNotBreakJson) {
  for (std::size_t bytes_max = 64; bytes_max <= 300; ++bytes_max) {
    SummaryStyle how = style(OutputFormat::json);
    how.bytes_max = bytes_max;
    for (std::size_t length = 0; length < 16; ++length) {
      how.unit.assign(length, 'u');
      EXPECT_FALSE(member_names(encode(example_summary(), how).value()).empty()) << bytes_max;
      AlertFacts facts = example_alarm();
      facts.series.assign(length, 's');
      EXPECT_FALSE(member_names(encode(facts, bytes_max)).empty()) << bytes_max;
    }
  }
}

TEST(TrapTest, T3EveryValueOfAnAlertsStateIsATextOrNull) {
  for (const AlertFacts& facts : {example_alarm(), example_end(), AlertFacts{}}) {
    rapidjson::Document document;
    document.Parse(encode(facts, 4096).c_str());
    ASSERT_TRUE(document.IsObject());
    for (const auto& member : document.GetObject()) {
      EXPECT_TRUE(member.value.IsString() || member.value.IsNull()) << member.name.GetString();
    }
    EXPECT_TRUE(document["state"].IsString());
  }
}

TEST(TrapTest, T4TextShowsNumbersWithTheirOwnDecimals) {
  Summary summary = example_summary();
  summary.value = 0.004;
  SummaryStyle how = style(OutputFormat::text);
  how.decimals = 3;
  EXPECT_THAT(encode(summary, how).value(), StartsWith("0.004 °C   min 18.400 "));
}

TEST(TrapTest, T5TheFirstNumberOfAnObjectIsTheValue) {
  rapidjson::Document document;
  document.Parse(encode(example_summary(), style(OutputFormat::json)).value().c_str());
  ASSERT_TRUE(document.IsObject());
  EXPECT_STREQ(document.MemberBegin()->name.GetString(), "value");
  EXPECT_DOUBLE_EQ(document.MemberBegin()->value.GetDouble(), 22.1);
}

TEST(TrapTest, T5WithoutAValueTheFirstNumberIsAnAverage) {
  Summary summary = example_summary();
  summary.value.reset();
  SummaryStyle how = style(OutputFormat::json);
  EXPECT_THAT(encode(summary, how).value(),
              StartsWith(R"({"value":null,"unit":"°C","avg":21.5,"mean":21,)"));
  how.bytes_max = 190;
  EXPECT_THAT(encode(summary, how).value(),
              StartsWith(R"({"value":null,"unit":"°C","avg":21.5,"count":288,)"));
}

TEST(TrapTest, T5OfASilentSensorTheFirstNumberIsItsLastSample) {
  Summary summary = example_summary();
  summary.value.reset();
  summary.is_known = false;
  SummaryStyle how = style(OutputFormat::json);
  for (const std::size_t bytes_max : {std::size_t{4096}, std::size_t{190}}) {
    how.bytes_max = bytes_max;
    EXPECT_THAT(encode(summary, how).value(),
                StartsWith(R"({"value":null,"unit":"°C","last":22.1,"count":288,)"));
  }
  how.bytes_max = 64;
  EXPECT_EQ(encode(summary, how).value(), R"({"value":null})");
}

TEST(TrapTest, T5OfASilentSensorWithoutASampleTheFirstNumberIsWhatWasHeld) {
  Summary summary = example_summary();
  summary.value.reset();
  summary.is_known = false;
  summary.aggregate = Aggregate{};
  summary.aggregate.add_held(21.5, std::chrono::minutes(1));
  SummaryStyle how = style(OutputFormat::json);
  EXPECT_THAT(encode(summary, how).value(),
              StartsWith(R"({"value":null,"unit":"°C","min":21.5,"max":21.5,"count":0,)"));
  how.bytes_max = 168;
  EXPECT_THAT(encode(summary, how).value(),
              StartsWith(R"({"value":null,"unit":"°C","min":21.5,"count":0,)"));
}

TEST(TrapTest, T5AnAverageThatIsTooGreatForANumberDoesNotLetTheCountBeTheFirst) {
  Summary summary = example_summary();
  summary.value.reset();
  summary.spark.clear();
  summary.aggregate = Aggregate{};
  summary.aggregate.add_held(1e308, std::chrono::hours(1));
  SummaryStyle how = style(OutputFormat::json);
  for (how.bytes_max = 64; how.bytes_max <= 1'200; ++how.bytes_max) {
    EXPECT_THAT(charted(encode(summary, how).value()), testing::AnyOf(1e308, std::nullopt));
  }
}

// Values are 18 to 26, and no other number in these summaries is.
TEST(TrapTest, T5TheNumberThatIsChartedIsAValueInTheUnitOrThereIsNone) {
  Aggregate held;
  held.add_held(21.5, std::chrono::minutes(1));
  Aggregate sampled;
  sampled.add_sample(at("2026-04-04T12:10:00Z"), 19.5);
  Aggregate both = sampled;
  both.merge(held);
  SummaryStyle how;
  how.decimals = 1;
  for (const Aggregate& aggregate :
       {example_summary().aggregate, held, sampled, both, Aggregate{}}) {
    for (const bool is_known : {true, false}) {
      for (const bool has_value : {true, false}) {
        for (const char* unit : {"", "°C", "7", "a unit that is so long that it has to be cut"}) {
          Summary summary = example_summary();
          summary.aggregate = aggregate;
          summary.is_known = is_known;
          summary.value = has_value ? summary.value : std::nullopt;
          how.unit = unit;
          for (const OutputFormat format : kForPeople) {
            how.format = format;
            for (how.bytes_max = 64; how.bytes_max <= 400; ++how.bytes_max) {
              const std::optional<std::string> payload = encode(summary, how);
              const std::optional<double> number = payload ? charted(*payload) : std::nullopt;
              if (number) {
                ASSERT_GE(*number, 18) << *payload;
                ASSERT_LE(*number, 26) << *payload;
              }
              if (format == OutputFormat::text) {
                ASSERT_EQ(number, std::nullopt) << *payload;
              }
              if (format == OutputFormat::json && payload && how.bytes_max == 400) {
                ASSERT_TRUE(number) << *payload;
              }
            }
          }
        }
      }
    }
  }
}

TEST(TrapTest, T5ATextIsNeverCutToHalfANumber) {
  Summary summary = example_summary();
  SummaryStyle how;
  how.format = OutputFormat::text;
  for (const double value : {1e62, 1e63, 1e64, 1e100, -1e100}) {
    summary.value = value;
    for (how.bytes_max = 64; how.bytes_max <= 120; ++how.bytes_max) {
      const std::string payload = encode(summary, how).value();
      EXPECT_THAT(charted(payload), testing::AnyOf(value, std::nullopt)) << payload;
    }
  }
}

// T8: each message that differs is one more bubble and notification.
TEST(TrapTest, T8TheSameContentIsTheSameBytes) {
  EXPECT_EQ(encode(example_alarm(), 4096), encode(example_alarm(), 4096));
}

TEST(TrapTest, WhatDoesNotFitIsLeftOutAndJsonStaysJson) {
  Summary summary = example_summary();
  summary.spark.assign(2'000, 21.5);
  SummaryStyle how = style(OutputFormat::json);
  const std::string without_curve = encode(summary, how).value();
  EXPECT_THAT(member_names(without_curve), Not(testing::Contains("spark")));
  EXPECT_THAT(without_curve, HasSubstr("\"final\":false}"));
  for (std::size_t bytes_max = 64; bytes_max <= 700; ++bytes_max) {
    how.bytes_max = bytes_max;
    const std::string payload = encode(example_summary(), how).value();
    EXPECT_LE(payload.size(), bytes_max);
    EXPECT_THAT(payload, StartsWith("{\"value\":22.1"));
    EXPECT_FALSE(member_names(payload).empty()) << payload;
    EXPECT_FALSE(is_misread(payload.size()));
  }
}

TEST(TrapTest, AnAlertsStateStaysJsonWithinEveryLimit) {
  AlertFacts facts = example_alarm();
  facts.series.assign(65'000, '"');
  facts.limit.assign(4'096, '\\');
  facts.unit.assign(1'000, 'u');
  for (std::size_t bytes_max = 64; bytes_max <= 5'000; bytes_max += 397) {
    const std::string payload = encode(facts, bytes_max);
    EXPECT_LE(payload.size(), bytes_max);
    EXPECT_THAT(payload, StartsWith("{\"state\":\"ALARM\""));
    EXPECT_FALSE(member_names(payload).empty()) << payload;
  }
}

TEST(TrapTest, TextIsCutAtACharactersBoundaryAfterLosingItsCurve) {
  SummaryStyle how = style(OutputFormat::text);
  for (std::size_t bytes_max = 64; bytes_max < 100; ++bytes_max) {
    how.bytes_max = bytes_max;
    how.unit = "°°°°°°°°°°°°°°°°";
    const std::string payload = encode(example_summary(), how).value();
    EXPECT_LE(payload.size(), bytes_max);
    EXPECT_TRUE(is_utf8(payload));
    EXPECT_THAT(payload, StartsWith("22.1 °"));
    EXPECT_THAT(payload, Not(HasSubstr("▁")));
  }
}

TEST(TrapTest, LinksAndPagesInTextsOfOthersAreBroken) {
  SummaryStyle how;
  how.unit = "xmpp:a?message;body=x <html>";
  for (const OutputFormat format : {OutputFormat::json, OutputFormat::text}) {
    how.format = format;
    EXPECT_THAT(encode(example_summary(), how).value(),
                HasSubstr("xmpp :a?message;body=x < html>"));
  }
  AlertFacts facts = example_alarm();
  facts.series = facts.alert = facts.limit = facts.unit = facts.severity = "XMPP:<html>";
  const std::string payload = encode(facts, 4096);
  EXPECT_THAT(payload, Not(HasSubstr("XMPP:")));
  EXPECT_THAT(payload, Not(HasSubstr("<html")));
}

// Whatever stands in a summary, the payload keeps the rules.
TEST(TrapTest, HostileSummariesGiveHarmlessPayloads) {
  std::mt19937_64 random(11);
  const std::vector<double> numbers = {0.0, -0.0, 1e308, -1e308, 5e-324, 0.1, 1e21, 123456789.125};
  const std::vector<std::string> units = {
      "",      "°C",    "\xff\xfe", std::string("a\0b", 3), "\"\\", std::string(10'000, 'u'),
      "xmpp:", "<html>"};
  const auto number = [&] { return numbers.at(random() % numbers.size()); };
  for (int round = 0; round < 500; ++round) {
    Summary summary = example_summary();
    if (random() % 3 != 0) {
      summary.value = number();
    }
    summary.aggregate = Aggregate{};
    for (std::uint64_t i = random() % 4; i > 0; --i) {
      summary.aggregate.add_sample(summary.start, number());
      summary.aggregate.add_held(number(), std::chrono::seconds(random() % 3));
    }
    summary.spark.assign(random() % 100, number());
    SummaryStyle how;
    how.unit = units.at(random() % units.size());
    how.decimals = static_cast<int>(random() % 10);
    how.statistic = kStatistics[random() % std::size(kStatistics)].statistic;
    how.bytes_max = 64 + random() % 4'033;
    for (const OutputFormat format : kForPeople) {
      how.format = format;
      const std::optional<std::string> payload = encode(summary, how);
      if (!payload) {
        continue;
      }
      EXPECT_FALSE(payload->empty());
      EXPECT_LE(payload->size(), how.bytes_max);
      EXPECT_FALSE(is_misread(payload->size()));
      EXPECT_TRUE(is_utf8(*payload));
      EXPECT_EQ(payload->find('\0'), std::string::npos);
      EXPECT_EQ(payload->find("xmpp:"), std::string::npos);
      if (format == OutputFormat::json) {
        EXPECT_FALSE(member_names(*payload).empty()) << *payload;
      }
    }
  }
}

}  // namespace
}  // namespace rollup::publish
