// docs/PAYLOADS.md: the state of an alert, and what people read of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "examples.h"

namespace rollup::publish {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const Time kBegan = at("2026-04-04T12:03:00Z");

TEST(AlertStateTest, MembersComeInTheDocumentedOrder) {
  EXPECT_THAT(
      member_names(encode(example_alarm(), 4096)),
      ElementsAre("state", "severity", "value", "limit", "alert", "series", "since", "id", "ack"));
}

TEST(AlertStateTest, EachPhaseHasItsWord) {
  AlertFacts facts = example_alarm();
  facts.state.phase = AlertPhase::pending;
  EXPECT_THAT(encode(facts, 4096), StartsWith(R"({"state":"PENDING",)"));
  EXPECT_THAT(encode(example_alarm(), 4096), StartsWith(R"({"state":"ALARM",)"));
  EXPECT_THAT(encode(example_end(), 4096), StartsWith(R"({"state":"OK",)"));
}

TEST(AlertStateTest, WhatIsUnknownIsNull) {
  AlertFacts facts = example_end();
  facts.state.value.reset();
  facts.state.since.reset();
  const std::string payload = encode(facts, 4096);
  EXPECT_THAT(payload, HasSubstr(R"("value":null,)"));
  EXPECT_THAT(payload, HasSubstr(R"("since":null,"id":null,"ack":null})"));
}

TEST(AlertStateTest, AValueWithoutAUnitIsATextToo) {
  AlertFacts facts = example_alarm();
  facts.unit.clear();
  EXPECT_THAT(encode(facts, 4096), HasSubstr(R"("value":"9.2",)"));
}

TEST(AlertTextTest, AnAlarmSaysWhatWhereAndSinceWhen) {
  EXPECT_EQ(alert_text(example_alarm(), "", kBegan, Zone{}, "en"),
            "⚠ ALARM fridge (home/kitchen/fridge): 9.2 °C, avg(5m) > 8 since 12:03");
  EXPECT_EQ(alert_text(example_alarm(), "", kBegan, Zone{}, "de"),
            "⚠ ALARM fridge (home/kitchen/fridge): 9.2 °C, avg(5m) > 8 seit 12:03");
}

TEST(AlertTextTest, AnEndSaysHowLongItLasted) {
  EXPECT_EQ(alert_text(example_end(), "", kBegan, Zone{}, "en"),
            "✔ OK fridge (home/kitchen/fridge): 4.1 °C, alarm lasted 38 min (12:03–12:41)");
  EXPECT_EQ(alert_text(example_end(), "", kBegan, Zone{}, "de"),
            "✔ OK fridge (home/kitchen/fridge): 4.1 °C, Alarm dauerte 38 min (12:03–12:41)");
}

TEST(AlertTextTest, TimesAreLocal) {
  const Zone berlin = Zone::locate("Europe/Berlin").value();
  EXPECT_THAT(alert_text(example_alarm(), "", kBegan, berlin, "en"), EndsWith("since 14:03"));
  EXPECT_THAT(alert_text(example_end(), "", kBegan, berlin, "en"), EndsWith("(14:03–14:41)"));
}

TEST(AlertTextTest, AnAlarmOverMidnightNamesTheDays) {
  AlertFacts facts = example_end();
  facts.state.since = at("2026-04-06T01:10:30Z");
  EXPECT_THAT(alert_text(facts, "", kBegan, Zone{}, "en"),
              EndsWith("lasted 37 h 7 min (2026-04-04 12:03 – 2026-04-06 01:10)"));
}

TEST(AlertTextTest, RegionsReadTheirLanguageAndOthersEnglish) {
  EXPECT_THAT(alert_text(example_alarm(), "", kBegan, Zone{}, "de-AT"), HasSubstr("seit"));
  EXPECT_THAT(alert_text(example_alarm(), "", kBegan, Zone{}, "de_DE.UTF-8"), HasSubstr("seit"));
  for (const char* language : {"", "en-GB", "fr", "den"}) {
    EXPECT_THAT(alert_text(example_alarm(), "", kBegan, Zone{}, language), HasSubstr("since"));
  }
}

TEST(AlertTextTest, AnUnknownValueIsSaidToBeSo) {
  AlertFacts facts = example_alarm();
  facts.state.value.reset();
  EXPECT_THAT(alert_text(facts, "", kBegan, Zone{}, "en"), HasSubstr("): value unknown, "));
  EXPECT_THAT(alert_text(facts, "", kBegan, Zone{}, "de"), HasSubstr("): Wert unbekannt, "));
}

TEST(AlertTextTest, ATitleStandsBeforeTheSeries) {
  AlertFacts facts = example_alarm();
  facts.title = "Kitchen fridge";
  EXPECT_THAT(alert_text(facts, "", kBegan, Zone{}, "en"),
              StartsWith("⚠ ALARM fridge (Kitchen fridge, home/kitchen/fridge): 9.2 °C"));
}

TEST(AlertTextTest, ARulesOwnMessageBeginsAnAlarmAndABuiltInLineEndsIt) {
  EXPECT_EQ(alert_text(example_alarm(), "Close the\nfridge!", kBegan, Zone{}, "en"),
            "Close the\nfridge!");
  EXPECT_THAT(alert_text(example_end(), "Close the fridge!", kBegan, Zone{}, "en"),
              StartsWith("✔ OK fridge"));
}

TEST(AlertTextTest, AMessageOfNothingVisibleIsNoMessage) {
  EXPECT_THAT(alert_text(example_alarm(), "\x01\n \n", kBegan, Zone{}, "en"),
              StartsWith("⚠ ALARM fridge"));
}

TEST(AlertTextTest, NoLineBeginsAsAQuotation) {
  EXPECT_EQ(alert_text(example_alarm(), "> 8\n\x02> 9\n>", kBegan, Zone{}, "en"), " > 8\n > 9\n >");
}

TEST(AlertTextTest, HostileNamesNeitherLinkNorFlood) {
  AlertFacts facts = example_alarm();
  facts.series = "XMPP:a@b?message;body=%2Fquit/" + std::string(60'000, 'x');
  facts.unit = "<html>";
  const std::string text = alert_text(facts, "", kBegan, Zone{}, "en");
  EXPECT_THAT(text, HasSubstr("(XMPP :a@b?"));
  EXPECT_THAT(text, Not(HasSubstr("<html")));
  EXPECT_LE(text.size(), 4096U);
  EXPECT_THAT(text, EndsWith("avg(5m) > 8 since 12:03"));
  const std::string own = alert_text(facts, std::string(9'000, 'y'), kBegan, Zone{}, "en");
  EXPECT_LE(own.size(), 4096U);
  EXPECT_THAT(own, EndsWith("y…"));
}

}  // namespace
}  // namespace rollup::publish
