#include "archive/columns.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace rollup::archive {
namespace {

std::vector<std::uint64_t> bits_of(const std::vector<double>& values) {
  std::vector<std::uint64_t> bits;
  for (const double value : values) {
    bits.push_back(std::bit_cast<std::uint64_t>(value));
  }
  return bits;
}

// The bytes that `values` take; checks that they come back to the last bit.
std::string round_trip(const std::vector<double>& values) {
  std::string bytes;
  put_doubles(bytes, values);
  ByteReader in(bytes);
  std::vector<double> back(values.size());
  take_doubles(in, back);
  EXPECT_TRUE(in.ok());
  EXPECT_TRUE(in.rest().empty());
  EXPECT_EQ(bits_of(back), bits_of(values));
  return bytes;
}

TEST(ColumnsTest, DecimalsOfASensorTakeAboutOneByteEach) {
  std::vector<double> values;
  for (int i = 0; i < 100; ++i) {
    values.push_back((2137 + i % 7) / 100.0);
  }
  EXPECT_LE(round_trip(values).size(), 1 + 100 + 2);
}

TEST(ColumnsTest, OneValueThatIsNoDecimalStillComesBackToTheLastBit) {
  round_trip({21.37, 21.38, 1.0 / 3, 21.37});
}

TEST(ColumnsTest, NegativeZeroInfinitiesAndNanComeBackToTheLastBit) {
  const double infinity = std::numeric_limits<double>::infinity();
  round_trip({-0.0});
  round_trip({0.0, -0.0, 1.5});
  round_trip({infinity, -infinity, std::nan("7"), std::numeric_limits<double>::denorm_min(),
              std::numeric_limits<double>::max()});
}

TEST(ColumnsTest, WholeNumbersUpToTwoToThe53ComeBackExactly) {
  round_trip({9007199254740992.0, -9007199254740992.0, 9007199254740991.0, 1.0});
  round_trip({9007199254740994.0, 1e300});
}

TEST(ColumnsTest, AScaleThatALaterValueNeedsIsTriedOnTheEarlierOnesToo) {
  // 9007199254740991 is whole, but not any more when it is times ten.
  round_trip({9007199254740991.0, 0.5});
  round_trip({1.0, 0.1, 0.25, 0.125, 1e-6});
}

TEST(ColumnsTest, AnyDoublesComeBackToTheLastBit) {
  std::mt19937_64 random(20260404);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> values;
    for (int i = 0; i < 40; ++i) {
      const std::uint64_t bits = random();
      values.push_back(round % 2 == 0 ? std::bit_cast<double>(bits)
                                      : std::round(static_cast<double>(bits % 100000)) / 1000);
    }
    round_trip(values);
  }
}

TEST(ColumnsTest, AnyWholeNumbersComeBackInEachOrder) {
  std::mt19937_64 random(7);
  std::vector<std::uint64_t> values = {0, ~std::uint64_t{0}, std::uint64_t{1} << 63, 1};
  for (int i = 0; i < 100; ++i) {
    values.push_back(random());
  }
  for (const int order : {0, 1, 2}) {
    std::string bytes;
    put_integers(bytes, values, order);
    ByteReader in(bytes);
    std::vector<std::uint64_t> back(values.size());
    take_integers(in, back, order);
    EXPECT_EQ(back, values) << "order " << order;
    EXPECT_TRUE(in.ok() && in.rest().empty());
  }
}

TEST(ColumnsTest, TimesAtEqualDistancesTakeOneByteEach) {
  std::vector<std::uint64_t> times;
  for (std::uint64_t i = 0; i < 100; ++i) {
    times.push_back(1775304180000 + i * 60000);
  }
  std::string bytes;
  put_integers(bytes, times, 2);
  EXPECT_LE(bytes.size(), 98 + 2 * 10);
}

TEST(ColumnsTest, ReadingBeyondTheEndGivesZerosAndIsNotOk) {
  ByteReader in(std::string_view("\x80", 1));
  EXPECT_EQ(in.varint(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.byte(), 0);
}

TEST(ColumnsTest, AVarintOfMoreThanTenBytesIsNotOk) {
  ByteReader in(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11));
  in.varint();
  EXPECT_FALSE(in.ok());
}

TEST(ColumnsTest, UnknownWaysAndLengthsOfDoublesAreNotOk) {
  for (const std::string_view bytes :
       {std::string_view("\x08\x00", 2), std::string_view("\x00\x19", 2),
        std::string_view("\x00\x81\x01", 3)}) {
    ByteReader in(bytes);
    std::vector<double> values(1);
    take_doubles(in, values);
    EXPECT_FALSE(in.ok());
  }
}

}  // namespace
}  // namespace rollup::archive
