#include "archive/block.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "unit/archive/minutes.h"

namespace rollup::archive {
namespace {

TEST(BlockTest, BucketsComeBackAsTheyWere) {
  const std::vector<Bucket> buckets = buckets_of_minutes(29588400, 29588400 + 128);
  for (const Effort effort : {Effort::quick, Effort::thorough}) {
    const auto back = decode_buckets(encode_buckets(buckets, effort));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, buckets);
  }
}

TEST(BlockTest, NoBucketsAndNoPointsAreABlockToo) {
  EXPECT_EQ(decode_buckets(encode_buckets({})), std::vector<Bucket>());
  EXPECT_EQ(decode_points(encode_points({})), std::vector<Point>());
}

TEST(BlockTest, OddBucketsComeBackToTheLastBit) {
  Bucket gap;  // its min and max are infinities, its times of samples are at the epoch
  gap.start = at_minute(29588400);
  gap.end = at_minute(29588401);
  Bucket odd = bucket_of_minute(1);
  odd.start = Time::min();
  odd.end = Time::max();
  odd.rev = std::numeric_limits<std::uint32_t>::max();
  odd.aggregate.count = std::numeric_limits<std::uint64_t>::max();
  odd.aggregate.known = Duration{-1};
  odd.aggregate.first = -0.0;
  odd.aggregate.sum = std::numeric_limits<double>::denorm_min();
  const std::vector<Bucket> buckets = {gap, odd, bucket_of_minute(2), gap};
  const auto back = decode_buckets(encode_buckets(buckets));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, buckets);
  EXPECT_TRUE(std::signbit((*back)[1].aggregate.first));
}

TEST(BlockTest, PointsWithEqualTimesKeepTheirOrder) {
  std::vector<Point> points;
  for (int i = 0; i < 600; ++i) {
    points.push_back({at_minute(29588400) + Duration{i / 3 * 1000}, i * 0.1});
  }
  EXPECT_EQ(decode_points(encode_points(points)), points);
}

TEST(BlockTest, ABucketOfASensorTakesFewBytes) {
  // 14 numbers of 8 bytes each are 112 bytes; regular data must come far below.
  const std::vector<Bucket> buckets = buckets_of_minutes(29588400, 29588400 + 128);
  EXPECT_LT(encode_buckets(buckets).size(), 128 * 16);
}

TEST(BlockTest, TheFullestBlockThatIsAllowedComesBack) {
  const std::vector<Point> points(kBlockEntriesMax, Point{at_minute(1), 0.1});
  EXPECT_EQ(decode_points(encode_points(points)), points);
}

TEST(BlockTest, EveryBitOfABlockIsGuarded) {
  const std::vector<Bucket> buckets = buckets_of_minutes(100, 110);
  const std::string bytes = encode_buckets(buckets);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    const auto back = decode_buckets(damaged);
    // A few bits of the frame's head are without meaning; none may give other buckets.
    if (back) {
      EXPECT_EQ(*back, buckets) << "bit " << bit;
    }
  }
}

TEST(BlockTest, EveryCutBlockIsRefused) {
  const std::string bytes = encode_points(std::vector<Point>(50, Point{at_minute(1), 1.5}));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_points(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_points(bytes + "x"));
}

TEST(BlockTest, AnotherVersionIsSaidToBeOne) {
  std::string bytes = encode_buckets(buckets_of_minutes(0, 1));
  bytes[0] = 3;
  const auto back = decode_buckets(bytes);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::unsupported);
}

TEST(BlockTest, PointsAreNotTakenForBuckets) {
  const std::string bytes = encode_points({});
  EXPECT_TRUE(decode_points(bytes));
  EXPECT_FALSE(decode_buckets(bytes));
}

// A block whose frame is whole and holds `content`.
std::string block_of(char kind, const std::string& content) {
  std::string frame(ZSTD_compressBound(content.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), content.data(), content.size(), 1));
  return std::string("\x01") + kind + frame;
}

TEST(BlockTest, EachBucketKeepsThePartsOfItsKind) {
  std::vector<Bucket> buckets = buckets_of_minutes(100, 104);
  for (const std::size_t at : {std::size_t{1}, std::size_t{2}}) {
    Aggregate counted(kCounterParts);
    counted.add_sample(buckets[at].start, 5);
    counted.add_held(5, kMinute);
    counted.add_increase({2.5, at});
    buckets[at].aggregate = counted;
  }
  EXPECT_EQ(decode_buckets(encode_buckets(buckets)), buckets);
  const std::span<const Bucket> counters(&buckets[1], 2);
  EXPECT_EQ(decode_buckets(encode_buckets(counters)),
            std::vector<Bucket>(counters.begin(), counters.end()));
}

TEST(BlockTest, BucketsOfVersion1AreThoseOfAGauge) {
  // One bucket from 60 s to 120 s with one sample, 5, at its start: start, length, rev, what is not
  // known, count, first, last; then integral, sum, m2, min, max, first and last at scale 10^0.
  const std::string minute = "\xc0\xa9\x07";
  const std::string columns = "\x01" + minute + minute + std::string("\x02\x00\x02\x00", 4) +
                              minute + std::string("\x01\x00\x01\x0a\x01\x00", 6) +
                              "\x01\x0a\x01\x0a\x01\x0a\x01\x0a";
  Bucket bucket{at_minute(1), at_minute(2), 1, {}};
  bucket.aggregate.add_sample(bucket.start, 5);
  bucket.aggregate.known = kMinute;
  EXPECT_EQ(decode_buckets(block_of('B', columns)), std::vector<Bucket>{bucket});
}

TEST(BlockTest, ACountThatDoesNotFitTheColumnsIsRefused) {
  // Two times (1 and 2 ms) and, at scale 10^0, two values (1 and 2).
  const std::string columns("\x02\x00\x01\x02\x02", 5);
  const std::vector<Point> points = {{time_from_ms(1), 1}, {time_from_ms(2), 2}};
  EXPECT_EQ(decode_points(block_of('P', "\x02" + columns)), points);
  EXPECT_FALSE(decode_points(block_of('P', "\x03" + columns)));
  EXPECT_FALSE(decode_points(block_of('P', "\x01" + columns)));
  EXPECT_FALSE(decode_points(block_of('P', "\x02" + columns + "z")));
  EXPECT_FALSE(decode_points(block_of('P', "")));
}

TEST(BlockTest, AFrameThatClaimsAHugeLengthIsRefusedBeforeItIsUnpacked) {
  // Version, kind, then the head of a zstd frame with an 8 byte length of 2^60.
  const std::string bytes("\x01P\x28\xb5\x2f\xfd\xe4\x00\x00\x00\x00\x00\x00\x00\x10", 15);
  const auto back = decode_points(bytes);
  ASSERT_FALSE(back);
  EXPECT_NE(back.error().message.find("length"), std::string::npos) << back.error().message;
}

TEST(BlockTest, ACountBeyondTheLimitIsRefused) {
  EXPECT_FALSE(decode_points(block_of('P', "\xff\xff\xff\xff\x0f")));
  EXPECT_FALSE(decode_buckets(block_of('B', "\x81\x40")));
}

TEST(BlockTest, RandomBytesAreRefused) {
  std::mt19937_64 random(42);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 64, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random());
    }
    if (bytes.size() > 1) {
      bytes[0] = 1;
      bytes[1] = round % 2 == 0 ? 'B' : 'P';
    }
    EXPECT_FALSE(decode_buckets(bytes));
    EXPECT_FALSE(decode_points(bytes));
  }
}

}  // namespace
}  // namespace rollup::archive
