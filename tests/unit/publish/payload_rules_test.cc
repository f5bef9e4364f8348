#include "publish/payload_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "base/sparkline.h"
#include "examples.h"

namespace rollup::publish {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::string curve(std::vector<std::optional<double>> values) { return sparkline(values); }

TEST(SparklineTest, ScalesBetweenTheLeastAndTheGreatest) {
  EXPECT_EQ(curve({0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0}), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(curve({-7.0, 0.0}), "▁█");
  EXPECT_EQ(curve({1.0, 0.499, 0.0}), "█▄▁");
}

TEST(SparklineTest, GapsAreBlanksAndEqualValuesAreInTheMiddle) {
  EXPECT_EQ(curve({std::nullopt, 2.0, std::nullopt, 2.0}), " ▄ ▄");
  EXPECT_EQ(curve({std::nullopt, std::nullopt}), "  ");
  EXPECT_EQ(curve({}), "");
}

TEST(SparklineTest, NumbersWithoutMeasureAreGapsAndTheLargestAreScaled) {
  const double huge = std::numeric_limits<double>::max();
  EXPECT_EQ(curve({-huge, 0.0, huge}), "▁▅█");
  EXPECT_EQ(curve({std::nan(""), 1.0, std::numeric_limits<double>::infinity(), 2.0}), " ▁ █");
  const double tiny = std::numeric_limits<double>::denorm_min();
  EXPECT_EQ(curve({0.0, tiny}).size(), 6U);
}

TEST(DecimalsTest, AveragesOfWholeNumbersGetTwoAndCountsNone) {
  for (const Statistic kind : {Statistic::avg, Statistic::mean, Statistic::stddev}) {
    EXPECT_EQ(decimals_for(kind, 0), 2);
    EXPECT_EQ(decimals_for(kind, 1), 1);
    EXPECT_EQ(decimals_for(kind, 4), 4);
  }
  for (const Statistic kind :
       {Statistic::min, Statistic::max, Statistic::sum, Statistic::first, Statistic::last}) {
    EXPECT_EQ(decimals_for(kind, 0), 0);
    EXPECT_EQ(decimals_for(kind, 3), 3);
  }
  EXPECT_EQ(decimals_for(Statistic::count, 3), 0);
}

TEST(SafeTextTest, LeavesOrdinaryTextAlone) {
  for (const char* text : {"", "22.1 °C", "a < b > c", "http://example.org", "x: y",
                           "Küche ▁█ 👩‍🍳", "xmp:", "value<5", "<", "<3"}) {
    EXPECT_EQ(safe_text(text), text);
  }
}

TEST(SafeTextTest, DropsControlCharactersAndWhatTurnsText) {
  EXPECT_EQ(safe_text("a\nb\tc\rd\x1b[31me\x7f"), "abcd[31me");
  EXPECT_EQ(safe_text(std::string_view("a\0b", 3)), "ab");
  EXPECT_EQ(safe_text("a\u0085b\u009fc"), "abc");
  EXPECT_EQ(safe_text("a\u202eb\u2066c\u2029d"), "abcd");
  EXPECT_EQ(safe_text("a\uffff\ufffeb"), "ab");
}

TEST(SafeTextTest, BytesThatAreNoUtf8BecomeReplacementCharacters) {
  EXPECT_EQ(safe_text("a\xff"
                      "b"),
            "a\ufffdb");
  EXPECT_EQ(safe_text("\xc3"), "\ufffd");
  EXPECT_EQ(safe_text("\xe2\x82"), "\ufffd\ufffd");
  EXPECT_EQ(safe_text("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(safe_text("\xc0\xaf"), "\ufffd\ufffd");
  EXPECT_EQ(safe_text("\xf8\x88\x80\x80"), "\ufffd\ufffd\ufffd\ufffd");
}

TEST(SafeTextTest, BreaksLinksInAnyCaseAlsoInMidWord) {
  EXPECT_EQ(safe_text("xmpp:a"), "xmpp :a");
  EXPECT_EQ(safe_text("seeXmPP:a and XMPP:"), "seeXmPP :a and XMPP :");
}

TEST(SafeTextTest, BreaksTags) {
  EXPECT_EQ(safe_text("<html><HEAD></head><!doctype"), "< html>< HEAD>< /head>< !doctype");
}

TEST(SafeTextTest, ADroppedCharacterHidesNothing) {
  EXPECT_EQ(safe_text("xm\x01pp\x02:a"), "xmpp :a");
  EXPECT_EQ(safe_text("<\x03html"), "< html");
  EXPECT_EQ(safe_text("xmp\u202ep:a"), "xmpp :a");
}

// The properties, on text made of the dangerous pieces.
TEST(SafeTextTest, AlwaysGivesHarmlessUtf8AndIsThenStable) {
  const std::vector<std::string> pieces = {
      "x", "m",  "p",      "P",    ":", "<", "html", "\x01",
      "/", "\n", "\u202e", "\xff", "é", " ", "xmpp", std::string(1, '\0')};
  std::mt19937_64 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::uint64_t i = random() % 12; i > 0; --i) {
      text += pieces.at(random() % pieces.size());
    }
    const std::string safe = safe_text(text);
    EXPECT_TRUE(is_utf8(safe));
    std::string lower = safe;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    EXPECT_EQ(lower.find("xmpp:"), std::string::npos) << safe;
    EXPECT_EQ(lower.find("<h"), std::string::npos) << safe;
    EXPECT_EQ(safe.find('\0'), std::string::npos);
    EXPECT_EQ(safe_text(safe), safe);
  }
}

TEST(PadPayloadTest, CutsAtACharactersBoundary) {
  std::string payload = "ab°cd";
  pad_payload(payload, 3);
  EXPECT_EQ(payload, "ab");
  payload = "ab°cd";
  pad_payload(payload, 4);
  EXPECT_EQ(payload, "ab°");
}

TEST(PadPayloadTest, WithoutRoomForTheBlankOneCharacterGoes) {
  std::string payload(40, 'x');
  pad_payload(payload, 40);
  EXPECT_EQ(payload, std::string(39, 'x'));
  payload = std::string(38, 'x') + "°tail";
  pad_payload(payload, 40);
  EXPECT_EQ(payload, std::string(38, 'x'));
}

TEST(ShortenedTest, EndsWithAnEllipsisAfterAWholeCharacter) {
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("abcdef", 5), "ab…");
  EXPECT_EQ(shortened("a°°°", 5), "a…");
  EXPECT_EQ(shortened("abcdef", 2), "");
}

TEST(DurationForPeopleTest, UsesTheUnitsThatSayItBest) {
  EXPECT_EQ(duration_for_people(hours(24)), "24 h");
  EXPECT_EQ(duration_for_people(hours(47)), "47 h");
  EXPECT_EQ(duration_for_people(hours(48)), "2 d");
  EXPECT_EQ(duration_for_people(hours(24 * 7)), "7 d");
  EXPECT_EQ(duration_for_people(minutes(90)), "1 h 30 min");
  EXPECT_EQ(duration_for_people(seconds(90)), "1 min 30 s");
  EXPECT_EQ(duration_for_people(milliseconds(1'500)), "1 s 500 ms");
  EXPECT_EQ(duration_for_people(seconds(0)), "0 s");
}

TEST(DurationForPeopleTest, CutsSmallUnitsOffWhenAsked) {
  const Duration long_time = hours(50) + minutes(3) + seconds(7);
  EXPECT_EQ(duration_for_people(long_time, 1), "2 d");
  EXPECT_EQ(duration_for_people(long_time, 2), "2 d 2 h");
  EXPECT_EQ(duration_for_people(hours(1) + seconds(59), 2), "1 h");
}

}  // namespace
}  // namespace rollup::publish
