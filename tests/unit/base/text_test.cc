#include "base/text.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace rollup {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(DecimalsTest, CountsThePlacesANumberWasSentWith) {
  EXPECT_EQ(decimals_of(21), 0);
  EXPECT_EQ(decimals_of(21.3), 1);
  EXPECT_EQ(decimals_of(21.37), 2);
  EXPECT_EQ(decimals_of(-0.001), 3);
  EXPECT_EQ(decimals_of(123456789.123456), 6);
  EXPECT_EQ(decimals_of(1e-9), 9);
}

TEST(DecimalsTest, NeverAnswersLessThanWhatIsKnown) {
  EXPECT_EQ(decimals_of(21, 2), 2);
  EXPECT_EQ(decimals_of(21.375, 2), 3);
}

TEST(DecimalsTest, IsBoundedForNumbersThatNobodyWroteByHand) {
  EXPECT_EQ(decimals_of(0.1 + 0.2), kDecimalsMax);
  EXPECT_EQ(decimals_of(1.0 / 3), kDecimalsMax);
  EXPECT_EQ(decimals_of(1e-300), kDecimalsMax);
  EXPECT_EQ(decimals_of(1e300), 0);
  EXPECT_EQ(decimals_of(9007199254740992.0), 0);
  EXPECT_EQ(decimals_of(5, 100), kDecimalsMax);
  EXPECT_EQ(decimals_of(5, -3), 0);
}

TEST(DecimalsTest, AValueThatIsNotFiniteTellsNothing) {
  EXPECT_EQ(decimals_of(kNan, 3), 3);
  EXPECT_EQ(decimals_of(kInfinity), 0);
}

TEST(DecimalsTest, EveryDecimalNumberIsWrittenBackAsItWasSent) {
  std::mt19937_64 random(20260404);
  for (int i = 0; i < 20'000; ++i) {
    const int places = static_cast<int>(random() % 10);
    const auto digits = static_cast<std::int64_t>(random() % 2'000'000) - 1'000'000;
    const std::string sent =
        format_number(static_cast<double>(digits) / std::pow(10, places), places);
    const double value = std::stod(sent);
    const std::size_t point = sent.find('.');
    const int expected = point == std::string::npos ? 0 : static_cast<int>(sent.size() - point) - 1;
    ASSERT_EQ(decimals_of(value), expected) << sent;
    ASSERT_EQ(format_number(value, decimals_of(value)), sent);
  }
}

TEST(FormatNumberTest, DropsZerosThatSayNothing) {
  EXPECT_EQ(format_number(21.10, 2), "21.1");
  EXPECT_EQ(format_number(21.0, 2), "21");
  EXPECT_EQ(format_number(100, 0), "100");
  EXPECT_EQ(format_number(0.5, 9), "0.5");
}

TEST(FormatNumberTest, RoundsToItsPlaces) {
  EXPECT_EQ(format_number(21.376, 2), "21.38");
  EXPECT_EQ(format_number(-21.376, 1), "-21.4");
  EXPECT_EQ(format_number(9.99, 1), "10");
}

TEST(FormatNumberTest, ZeroHasNoSign) {
  EXPECT_EQ(format_number(-0.0, 0), "0");
  EXPECT_EQ(format_number(-0.004, 2), "0");
  EXPECT_EQ(format_fixed(-0.004, 2), "0.00");
}

TEST(FormatNumberTest, LargeNumbersHaveNoExponent) {
  EXPECT_EQ(format_number(1e21, 0), "1000000000000000000000");
  EXPECT_EQ(format_number(-std::numeric_limits<double>::max(), 9).size(), 310U);
}

TEST(FormatNumberTest, WhatIsNotFiniteHasNoText) {
  EXPECT_EQ(format_number(kNan, 2), "");
  EXPECT_EQ(format_number(-kInfinity, 2), "");
  EXPECT_EQ(format_fixed(kNan, 2), "");
}

TEST(FormatNumberTest, FixedKeepsItsZeros) {
  EXPECT_EQ(format_fixed(21, 1), "21.0");
  EXPECT_EQ(format_fixed(21, 0), "21");
  EXPECT_EQ(format_fixed(21.376, 2), "21.38");
}

TEST(FormatNumberTest, DoesNotDependOnTheLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* locale : {"de_DE.UTF-8", "C.UTF-8", ""}) {
    std::setlocale(LC_ALL, locale);
    EXPECT_EQ(format_number(21.5, 1), "21.5");
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST(DurationTest, ReadsEveryUnitAndSums) {
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("90s"), seconds(90));
  EXPECT_EQ(parse_duration("5m"), seconds(300));
  EXPECT_EQ(parse_duration("1h"), hours(1));
  EXPECT_EQ(parse_duration("1d"), hours(24));
  EXPECT_EQ(parse_duration("2w"), hours(24 * 14));
  EXPECT_EQ(parse_duration("1h30m"), seconds(5400));
  EXPECT_EQ(parse_duration("0s"), seconds(0));
}

TEST(DurationTest, RefusesEverythingElse) {
  for (const char* text :
       {"", "5", "m", "5 m", " 5m", "5m ", "-5m", "+5m", "1.5h", "5M", "5min", "h5", "5mm", "1h30",
        "99999999999999999999s", "9223372036854775807w", "9223372036854775807ms1ms"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_duration(std::string_view("5\0m", 3)), std::nullopt);
}

TEST(DurationTest, IsWrittenInTheLargestUnits) {
  EXPECT_EQ(format_duration(seconds(5400)), "1h30m");
  EXPECT_EQ(format_duration(milliseconds(0)), "0s");
  EXPECT_EQ(format_duration(hours(24 * 10)), "1w3d");
  EXPECT_EQ(format_duration(milliseconds(60'001)), "1m1ms");
  EXPECT_EQ(format_duration(-seconds(61)), "-1m1s");
  EXPECT_EQ(format_duration(Duration::min()).front(), '-');
}

TEST(DurationTest, WhatIsWrittenReadsBack) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const Duration duration{static_cast<std::int64_t>(random() >> (1 + random() % 62))};
    ASSERT_EQ(parse_duration(format_duration(duration)), duration);
  }
}

TEST(Rfc3339Test, IsWrittenWithMillisecondsOnlyIfThereAreAny) {
  EXPECT_EQ(format_rfc3339(time_from_ms(1'775'304'180'000)), "2026-04-04T12:03:00Z");
  EXPECT_EQ(format_rfc3339(time_from_ms(1'775'304'180'250)), "2026-04-04T12:03:00.250Z");
  EXPECT_EQ(format_rfc3339(time_from_ms(-1)), "1969-12-31T23:59:59.999Z");
}

TEST(Rfc3339Test, YearsBeyondFourDigitsAreWrittenAsTheNearestThatFits) {
  EXPECT_EQ(format_rfc3339(Time::max()), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(format_rfc3339(Time::min()), "0000-01-01T00:00:00Z");
}

TEST(Rfc3339Test, ReadsAllItsForms) {
  const Time time = time_from_ms(1'775'304'180'000);
  for (const char* text :
       {"2026-04-04T12:03:00Z", "2026-04-04t12:03:00z", "2026-04-04 12:03:00Z",
        "2026-04-04T14:03:00+02:00", "2026-04-04T06:33:00-05:30", "2026-04-04T12:03:00.000999Z",
        "2026-04-05T11:03:00+23:00", "2026-04-04T12:03:00-00:00"}) {
    EXPECT_EQ(parse_rfc3339(text), time) << text;
  }
  EXPECT_EQ(parse_rfc3339("2026-04-04T12:03:00.25Z"), time + milliseconds(250));
  EXPECT_EQ(parse_rfc3339("2026-04-04T12:03:00.1234567890123456789Z"), time + milliseconds(123));
}

TEST(Rfc3339Test, RefusesFieldsOutOfRange) {
  for (const char* text :
       {"2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-04-04T24:00:00Z", "2026-04-04T12:60:00Z",
        "2026-04-04T12:03:61Z", "2026-04-04T12:03:00+24:00", "2026-04-04T12:03:00+02:60"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
}

TEST(Rfc3339Test, RefusesOtherForms) {
  for (const char* text :
       {"", "2026-04-04", "2026-04-04T12:03:00", "2026-04-04T12:03Z", "2026-04-04T12:03:00.Z",
        "2026-04-04T12:03:00,5Z", "2026-04-04T12:03:00+0200", "2026-04-04T12:03:00Z ",
        " 2026-04-04T12:03:00Z", "2026-4-4T12:03:00Z", "26-04-04T12:03:00Z", "+026-04-04T12:03:00Z",
        "2026-04-04  12:03:00Z", "2026-04-04T12:03:0", "20260404T120300Z"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
}

TEST(Rfc3339Test, ALeapSecondIsTheFirstOfTheNextDay) {
  EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z"), parse_rfc3339("2017-01-01T00:00:00Z"));
  EXPECT_EQ(parse_rfc3339("2017-01-01T00:59:60+01:00"), parse_rfc3339("2017-01-01T00:00:00Z"));
  EXPECT_EQ(parse_rfc3339("2016-12-31T22:59:60Z"), std::nullopt);
}

TEST(Rfc3339Test, WhatIsWrittenReadsBack) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 2000; ++i) {
    const Time time = time_from_ms(static_cast<std::int64_t>(random() % 250'000'000'000'000));
    ASSERT_EQ(parse_rfc3339(format_rfc3339(time)), time);
  }
}

TEST(NearestNameTest, FindsTheMisspeltName) {
  const std::vector<std::string> known = {"topic", "stream", "retain", "resolution"};
  EXPECT_EQ(nearest_name("topci", known), "topic");  // a swap is one edit
  EXPECT_EQ(nearest_name("sream", known), "stream");
  EXPECT_EQ(nearest_name("retains", known), "retain");
  EXPECT_EQ(nearest_name("resulotion", known), "resolution");
  EXPECT_EQ(nearest_name("topic", known), "topic");
}

TEST(NearestNameTest, IsEmptyIfNoneIsNear) {
  EXPECT_EQ(nearest_name("broker", {"topic", "stream"}), "");
  EXPECT_EQ(nearest_name("ab", {"cd"}), "");
  EXPECT_EQ(nearest_name("topic", {}), "");
  EXPECT_EQ(nearest_name("", {"ab"}), "");
  EXPECT_EQ(nearest_name(std::string(100'000, 'a'), {std::string(100'000, 'a')}), "");
}

TEST(NearestNameTest, AThirdOfTheLengthMayDifferAndAtLeastOneCharacter) {
  EXPECT_EQ(nearest_name("a", {"b"}), "b");
  EXPECT_EQ(nearest_name("abcdef", {"abcdxy"}), "abcdxy");
  EXPECT_EQ(nearest_name("abcdef", {"abcxyz"}), "");
}

TEST(NearestNameTest, TheNearestOfSeveralWins) {
  EXPECT_EQ(nearest_name("counter", {"cointr", "counted", "counters"}), "counted");
}

TEST(Utf8Test, TakesWellFormedText) {
  for (const char* text :
       {"", "a", "plain ASCII of some length", "22.5 °C", "▁▂▃ äöü", "\xF0\x9F\x8C\xA1", "\x7F",
        "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x90\x80\x80",
        "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
}

TEST(Utf8Test, RefusesOverlongFormsSurrogatesAndStumps) {
  for (const char* text :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE2\x82",
        "\xF0\x9F\x8C", "\xC3(", "\xE2(\xA1", "\xE2\x82(", "abcdefg\xB0",
        "abcdefghijkl\xB0"
        "C"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Utf8Test, DecidesAsTheDefinitionDoesForAllCodePoints) {
  const auto encode = [](unsigned point) {
    std::string text;
    const auto put = [&](unsigned byte) { text += static_cast<char>(byte); };
    if (point < 0x80) {
      put(point);
    } else if (point < 0x800) {
      put(0xC0 | point >> 6), put(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
      put(0xE0 | point >> 12), put(0x80 | (point >> 6 & 0x3F)), put(0x80 | (point & 0x3F));
    } else {
      put(0xF0 | point >> 18), put(0x80 | (point >> 12 & 0x3F)), put(0x80 | (point >> 6 & 0x3F)),
          put(0x80 | (point & 0x3F));
    }
    return text;
  };
  for (unsigned point = 0; point < 0x120000; ++point) {
    const bool is_character = point < 0x110000 && (point < 0xD800 || point > 0xDFFF);
    ASSERT_EQ(is_utf8(encode(point)), is_character) << std::hex << point;
    const bool is_control = point < 0x20 || (point >= 0x7F && point < 0xA0);
    if (is_character) {
      ASSERT_EQ(control_character_size(encode(point), 0) != 0, is_control) << std::hex << point;
    }
  }
}

}  // namespace
}  // namespace rollup
