#include "decode/text_number.h"

#include <gtest/gtest.h>

#include <array>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace rollup::decode {
namespace {

TEST(TextNumberTest, ReadsPlainNumbers) {
  const std::vector<std::pair<const char*, double>> cases = {
      {"21.5", 21.5},
      {"0", 0},
      {"-3", -3},
      {"+4", 4},
      {".5", 0.5},
      {"-.5", -0.5},
      {"5.", 5},
      {"1e3", 1000},
      {"1E-2", 0.01},
      {"007", 7},
      {"  21.5\r\n", 21.5},
      {"\t8", 8},
      {"9007199254740992", 9007199254740992.0}};
  for (const auto& [text, value] : cases) {
    EXPECT_EQ(read_text_number(text), value) << text;
  }
}

TEST(TextNumberTest, IntegersUpTo2To53StayExact) {  // SEMANTICS 2.5
  EXPECT_EQ(read_text_number("9007199254740991"), 9007199254740991.0);
  EXPECT_EQ(read_text_number("-9007199254740991"), -9007199254740991.0);
}

TEST(TextNumberTest, IgnoresAUnit) {  // SEMANTICS 2.5
  const std::vector<std::pair<const char*, double>> cases = {
      {"22.5 °C", 22.5}, {"22.5°C", 22.5}, {"50%", 50},    {"50 %", 50},     {"-3dBm", -3},
      {"12km/h", 12},    {"230V AC", 230}, {"7 of 10", 7}, {"3 1", 3},       {"5µg/m³", 5},
      {"12\tW", 12},     {"1e3Hz", 1000},  {"0xray", 0},   {"4\xC2\xA0W", 4}};
  for (const auto& [text, value] : cases) {
    EXPECT_EQ(read_text_number(text), value) << text;
  }
}

TEST(TextNumberTest, RefusesWhatOnlyBeginsAsANumber) {  // SEMANTICS 2.5
  for (const char* text : {"1,5",         "12:30", "2024-01-02", "2024-01-02T00:00:00Z",
                           "0x1A",        "0xAF",  "-0XFF",      "1.2.3",
                           "192.168.0.1", "1_000", "1'000",      "5m3",
                           "12h30m",      "3/4",   "1e5x7",      "1;2",
                           "1=1",         "5(",    "5..",        "1e+",
                           "22.5°C,",     "4-",    "4+",         "1\"",
                           "50%:"}) {
    EXPECT_EQ(read_text_number(text), std::nullopt) << text;
  }
}

TEST(TextNumberTest, RefusesWhatIsNoNumber) {  // SEMANTICS 2.5
  for (const char* text :
       {"",   " ",   "\n",  "nan", "NaN", "inf", "-inf", "Infinity", "+",    "-",  ".",
        "-.", "+-5", "--5", "- 5", "e5",  "°C",  "ON",   "true",     "null", "{}", "#"}) {
    EXPECT_EQ(read_text_number(text), std::nullopt) << text;
  }
}

TEST(TextNumberTest, RefusesNumbersThatNoDoubleHolds) {
  EXPECT_EQ(read_text_number("1e999"), std::nullopt);
  EXPECT_EQ(read_text_number("-" + std::string(400, '9')), std::nullopt);
  EXPECT_EQ(read_text_number("1.7976931348623157e308"), std::numeric_limits<double>::max());
}

TEST(TextNumberTest, RefusesNulBytes) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view text : {"5\0"sv, "\0"sv, "\0005"sv, "5 \0"sv, "5 a\0b"sv, "5a\0"sv}) {
    EXPECT_EQ(read_text_number(text), std::nullopt);
  }
}

TEST(TextNumberTest, DoesNotDependOnTheLocale) {  // SEMANTICS 2.5
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* locale : {"de_DE.UTF-8", "C.UTF-8"}) {
    std::setlocale(LC_ALL, locale);
    EXPECT_EQ(read_text_number("1.5"), 1.5);
    EXPECT_EQ(read_text_number("1,5"), std::nullopt);
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST(TextNumberTest, EveryDoubleReadsBack) {
  std::mt19937_64 random(51);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t bits = random();
    double value = 0;
    static_assert(sizeof value == sizeof bits);
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) {
      continue;
    }
    std::array<char, 40> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    const std::string written(text.data(), end);
    ASSERT_EQ(read_text_number(written), value) << written;
    ASSERT_EQ(read_text_number(written + "°C"), value) << written;
  }
}

}  // namespace
}  // namespace rollup::decode
