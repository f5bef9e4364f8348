// Sealed data across memory and blocks, and how it is kept free of doubles.
#include "history/sealed.h"

#include <gmock/gmock.h>

#include "archive/block.h"
#include "unit/history/history_support.h"

namespace rollup::history {
namespace {

using testing::IsEmpty;

std::int64_t query(const TemporaryDirectory& directory, const char* sql) {
  const auto connection = Connection::open(directory.file("history.db"));
  EXPECT_TRUE(connection);
  const auto result = (*connection)->integer(sql);
  EXPECT_TRUE(result) << result.error().message;
  return result.value_or(-1);
}

std::vector<Point> points_of_seconds(std::int64_t from, std::int64_t to) {
  std::vector<Point> points;
  for (std::int64_t second = from; second < to; ++second) {
    points.push_back({Time{std::chrono::seconds(second)}, static_cast<double>(second % 100) / 10});
  }
  return points;
}

class SealedTest : public testing::Test {
 protected:
  void reopen() {
    history_.reset();
    history_ = open_history(directory_.path());
    ASSERT_TRUE(history_);
  }
  void SetUp() override { reopen(); }

  const TemporaryDirectory directory_;
  std::unique_ptr<History> history_;
};

TEST_F(SealedTest, WhatIsNotCheckpointedIsRead) {
  append_minutes(*history_, 3, 0, 10);
  history_->append(3, points_of_seconds(0, 5));
  EXPECT_EQ(read_buckets(*history_, 3, Tier::fine), buckets_of_minutes(0, 10));
  EXPECT_EQ(read_points(*history_, 3), points_of_seconds(0, 5));
  EXPECT_THAT(read_buckets(*history_, 3, Tier::hour), IsEmpty());
  EXPECT_THAT(read_buckets(*history_, 4, Tier::fine), IsEmpty());
}

TEST_F(SealedTest, WhatIsNotCheckpointedIsGoneAfterAReopenBecauseTheJournalBringsItBack) {
  append_minutes(*history_, 3, 0, 10);
  reopen();
  EXPECT_THAT(read_buckets(*history_, 3, Tier::fine), IsEmpty());
}

TEST_F(SealedTest, BlocksAndMemoryAreReadAsOne) {
  append_minutes(*history_, 3, 0, 300);
  history_->append(3, points_of_seconds(0, 700));
  ASSERT_TRUE(history_->checkpoint("", {}));
  append_minutes(*history_, 3, 300, 310);
  history_->append(3, points_of_seconds(700, 710));
  EXPECT_EQ(read_buckets(*history_, 3, Tier::fine), buckets_of_minutes(0, 310));
  EXPECT_EQ(read_points(*history_, 3), points_of_seconds(0, 710));
  ASSERT_TRUE(history_->checkpoint("", {}));
  reopen();
  EXPECT_EQ(read_buckets(*history_, 3, Tier::fine), buckets_of_minutes(0, 310));
  EXPECT_EQ(read_points(*history_, 3), points_of_seconds(0, 710));
}

TEST_F(SealedTest, ManyCheckpointsMakeNoMoreBlocksThanOne) {
  for (std::int64_t minute = 0; minute < 300; ++minute) {
    append_minutes(*history_, 3, minute, minute + 1);
    ASSERT_TRUE(history_->checkpoint("", {}));
  }
  EXPECT_EQ(read_buckets(*history_, 3, Tier::fine), buckets_of_minutes(0, 300));
  history_.reset();
  EXPECT_EQ(query(directory_, "SELECT count(*) FROM block"), 3);  // 128 + 128 + 44
  EXPECT_EQ(query(directory_, "SELECT sum(count) FROM block"), 300);
}

TEST_F(SealedTest, ABlockOfSlowDataEndsByItsSpan) {
  for (std::int64_t hour = 0; hour < 24; ++hour) {
    const std::vector<Point> point = {{at_minute(hour * 60), 1.0}};
    history_->append(3, point);
  }
  ASSERT_TRUE(history_->checkpoint("", {}));
  EXPECT_EQ(read_points(*history_, 3).size(), 24u);
  history_.reset();
  EXPECT_EQ(query(directory_, "SELECT max(end - start) <= 3600001 FROM block"), 1);
  EXPECT_EQ(query(directory_, "SELECT count(*) FROM block"), 12);
}

TEST_F(SealedTest, TiersAndSeriesAreKeptApart) {
  append_minutes(*history_, 0, 0, 2);
  append_minutes(*history_, 4294967295u, 5, 7);
  history_->append(0, Tier::hour, bucket_of_minute(60));
  history_->append(0, Tier::day, bucket_of_minute(1440));
  const auto check = [this] {
    EXPECT_EQ(read_buckets(*history_, 0, Tier::fine), buckets_of_minutes(0, 2));
    EXPECT_EQ(read_buckets(*history_, 4294967295u, Tier::fine), buckets_of_minutes(5, 7));
    EXPECT_EQ(read_buckets(*history_, 0, Tier::hour), buckets_of_minutes(60, 61));
    EXPECT_EQ(read_buckets(*history_, 0, Tier::day), buckets_of_minutes(1440, 1441));
    EXPECT_THAT(read_buckets(*history_, 1, Tier::fine), IsEmpty());
  };
  check();
  ASSERT_TRUE(history_->checkpoint("", {}));
  check();
}

TEST_F(SealedTest, EveryRangeGivesExactlyTheBucketsThatOverlapIt) {
  // Two blocks, a hole in the first, and the end in memory.
  append_minutes(*history_, 3, 0, 50);
  append_minutes(*history_, 3, 60, 150);
  ASSERT_TRUE(history_->checkpoint("", {}));
  append_minutes(*history_, 3, 150, 160);
  const std::vector<Bucket> all = read_buckets(*history_, 3, Tier::fine);
  ASSERT_EQ(all.size(), 150u);
  for (std::int64_t from = -1; from <= 162; ++from) {
    for (const std::int64_t length : {0, 1, 2, 15, 130, 200}) {
      for (const Duration shift : {Duration{-1}, Duration{0}, Duration{1}}) {
        const Time lower = at_minute(from) + shift;
        const Time upper = at_minute(from + length);
        std::vector<Bucket> expected;
        for (const Bucket& bucket : all) {
          if (bucket.start < upper && bucket.end > lower) {
            expected.push_back(bucket);
          }
        }
        ASSERT_EQ(read_buckets(*history_, 3, Tier::fine, lower, upper), expected)
            << from << " + " << length << " minutes, shift " << shift.count();
      }
    }
  }
}

TEST_F(SealedTest, EveryRangeGivesExactlyThePointsInIt) {
  history_->append(3, points_of_seconds(0, 600));
  ASSERT_TRUE(history_->checkpoint("", {}));
  history_->append(3, points_of_seconds(600, 610));
  for (const std::int64_t from : {-5, 0, 1, 510, 511, 512, 513, 599, 600, 605, 620}) {
    for (const std::int64_t to : {-4, 0, 1, 2, 511, 512, 513, 600, 601, 610, 700}) {
      const std::vector<Point> expected =
          points_of_seconds(std::max<std::int64_t>(from, 0), std::min<std::int64_t>(to, 610));
      ASSERT_EQ(read_points(*history_, 3, Time{std::chrono::seconds(from)},
                            Time{std::chrono::seconds(to)}),
                expected)
          << from << " to " << to;
    }
  }
}

TEST_F(SealedTest, ADayBucketOfAnotherTimeZoneMayOverlapItsNeighbourAndIsFound) {
  std::vector<Bucket> days;
  for (std::int64_t i = 0; i < 128; ++i) {
    Bucket day = bucket_of_minute(i * 1440);
    day.end = day.start + std::chrono::days(1);
    days.push_back(day);
    history_->append(3, Tier::day, day);
  }
  // The zone changed: a day that begins six hours before the last one ended. A block holds 128.
  Bucket shifted = bucket_of_minute(128 * 1440 - 360);
  shifted.end = shifted.start + std::chrono::days(1);
  history_->append(3, Tier::day, shifted);
  days.push_back(shifted);
  ASSERT_TRUE(history_->checkpoint("", {}));
  EXPECT_EQ(read_buckets(*history_, 3, Tier::day), days);
  const std::vector<Bucket> both = {days[127], shifted};
  EXPECT_EQ(read_buckets(*history_, 3, Tier::day, shifted.start, shifted.start + kMinute), both);
}

TEST_F(SealedTest, AReaderMayStopAnywhere) {
  append_minutes(*history_, 3, 0, 200);
  ASSERT_TRUE(history_->checkpoint("", {}));
  append_minutes(*history_, 3, 200, 210);
  for (const int wanted : {1, 128, 129, 200, 201, 209}) {
    int seen = 0;
    ASSERT_TRUE(history_->read(3, Tier::fine, Time::min(), Time::max(),
                               [&](const Bucket&) { return ++seen < wanted; }));
    EXPECT_EQ(seen, wanted);
  }
}

TEST_F(SealedTest, AReaderMayReadAgainInside) {
  append_minutes(*history_, 3, 0, 130);
  append_minutes(*history_, 4, 0, 130);
  ASSERT_TRUE(history_->checkpoint("", {}));
  std::vector<Bucket> outer;
  ASSERT_TRUE(history_->read(3, Tier::fine, Time::min(), Time::max(), [&](const Bucket& bucket) {
    outer.push_back(bucket);
    EXPECT_EQ(read_buckets(*history_, 4, Tier::fine, bucket.start, bucket.end).size(), 1u);
    return true;
  }));
  EXPECT_EQ(outer, buckets_of_minutes(0, 130));
}

TEST_F(SealedTest, ABucketThatIsThereAlreadyIsIgnored) {
  append_minutes(*history_, 3, 0, 10);
  append_minutes(*history_, 3, 5, 12);
  EXPECT_EQ(read_buckets(*history_, 3, Tier::fine), buckets_of_minutes(0, 12));
  ASSERT_TRUE(history_->checkpoint("", {}));
  append_minutes(*history_, 3, 0, 14);
  EXPECT_EQ(read_buckets(*history_, 3, Tier::fine), buckets_of_minutes(0, 14));
  ASSERT_TRUE(history_->checkpoint("", {}));
  EXPECT_EQ(read_buckets(*history_, 3, Tier::fine), buckets_of_minutes(0, 14));
}

TEST_F(SealedTest, ABucketThatIsThereAlreadyIsNotReplacedSilently) {
  append_minutes(*history_, 3, 7, 8);
  Bucket other = bucket_of_minute(7);
  other.rev = 9;
  history_->append(3, Tier::fine, other);
  ASSERT_TRUE(history_->checkpoint("", {}));
  history_->append(3, Tier::fine, other);
  ASSERT_TRUE(history_->checkpoint("", {}));
  EXPECT_EQ(read_buckets(*history_, 3, Tier::fine), buckets_of_minutes(7, 8));
}

TEST_F(SealedTest, PointsOfOneCallMayShareTimesAndPointsOfAnEarlierCallAreIgnored) {
  const Time time = at_minute(5);
  const std::vector<Point> first = {{time, 1}, {time, 2}, {time, 2}};
  const std::vector<Point> again = {{time, 1}, {time, 2}, {time, 2}, {time + kMinute, 3}};
  history_->append(3, first);
  history_->append(3, again);
  EXPECT_EQ(read_points(*history_, 3), again);
  ASSERT_TRUE(history_->checkpoint("", {}));
  history_->append(3, again);
  EXPECT_EQ(read_points(*history_, 3), again);
  ASSERT_TRUE(history_->checkpoint("", {}));
  reopen();
  EXPECT_EQ(read_points(*history_, 3), again);
}

TEST_F(SealedTest, ADamagedBlockIsAnErrorToReadersAndNoneToTheNextCheckpoint) {
  append_minutes(*history_, 3, 0, 10);
  ASSERT_TRUE(history_->checkpoint("", {}));
  history_.reset();
  {
    auto connection = Connection::open(directory_.file("history.db"));
    ASSERT_TRUE(connection);
    ASSERT_TRUE((*connection)->execute("UPDATE block SET data = x'014200'"));
  }
  reopen();
  const auto nothing = [](const Bucket&) { return true; };
  const auto result = history_->read(3, Tier::fine, at_minute(0), at_minute(1), nothing);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::storage);
  EXPECT_EQ(result.error().place, "series 3, tier fine, block 0");
  append_minutes(*history_, 3, 10, 12);
  ASSERT_TRUE(history_->checkpoint("", {}));
  EXPECT_EQ(read_buckets(*history_, 3, Tier::fine, at_minute(10)), buckets_of_minutes(10, 12));
}

TEST_F(SealedTest, ABacklogOfManyBucketsIsCutIntoFullBlocks) {
  append_minutes(*history_, 3, 0, 20'000);
  ASSERT_TRUE(history_->checkpoint("", {}));
  EXPECT_EQ(read_buckets(*history_, 3, Tier::fine), buckets_of_minutes(0, 20'000));
  history_.reset();
  EXPECT_EQ(query(directory_, "SELECT max(count) FROM block"), 128);
  EXPECT_EQ(query(directory_, "SELECT count(*) FROM block"), 157);
}

}  // namespace
}  // namespace rollup::history
