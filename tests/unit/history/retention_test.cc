#include "history/retention.h"

#include <gmock/gmock.h>

#include <limits>
#include <map>

#include "model/config.h"
#include "unit/history/history_support.h"

namespace rollup::history {
namespace {

Keep keep_all() { return {kForever, kForever, kForever, kForever}; }

Keep keep_fine(Duration duration) {
  Keep keep = keep_all();
  keep[static_cast<std::size_t>(Tier::fine)] = duration;
  return keep;
}

// Expires until there is no more; the number of calls.
int expire_all(History& history, Time now, const std::function<Keep(SeriesId)>& keep) {
  for (int calls = 1;; ++calls) {
    const auto more = history.expire(now, keep);
    if (!more || calls > 10'000) {
      ADD_FAILURE() << (more ? "no end" : more.error().message);
      return calls;
    }
    if (!*more) {
      return calls;
    }
  }
}

class RetentionTest : public testing::Test {
 protected:
  void SetUp() override {
    history_ = open_history(directory_.path());
    ASSERT_TRUE(history_);
  }
  const TemporaryDirectory directory_;
  std::unique_ptr<History> history_;
};

TEST_F(RetentionTest, BlocksThatEndedBeforeGoAndTheOthersStay) {
  append_minutes(*history_, 1, 0, 128 * 5);
  ASSERT_TRUE(history_->checkpoint("", {}));
  // The second block ends at minute 256: it ended before only from then on.
  const auto keep = [](SeriesId) { return keep_fine(100 * kMinute); };
  expire_all(*history_, at_minute(356), keep);
  EXPECT_EQ(read_buckets(*history_, 1, Tier::fine), buckets_of_minutes(128, 640));
  expire_all(*history_, at_minute(356) + Duration{1}, keep);
  EXPECT_EQ(read_buckets(*history_, 1, Tier::fine), buckets_of_minutes(256, 640));
}

TEST_F(RetentionTest, EachSeriesAndTierHasItsOwn) {
  for (const SeriesId series : {1u, 2u, 9u}) {
    append_minutes(*history_, series, 0, 128);
    history_->append(series, Tier::hour, bucket_of_minute(0));
    const std::vector<Point> point = {{at_minute(0), 1}};
    history_->append(series, point);
  }
  ASSERT_TRUE(history_->checkpoint("", {}));
  std::map<SeriesId, Keep> keeps;
  keeps[1] = keep_fine(kMinute);
  keeps[2] = keep_all();
  keeps[9] = keep_all();
  keeps[9][static_cast<std::size_t>(Tier::raw)] = Duration{0};
  keeps[9][static_cast<std::size_t>(Tier::hour)] = kMinute;
  expire_all(*history_, at_minute(1000), [&](SeriesId series) { return keeps.at(series); });
  EXPECT_EQ(read_buckets(*history_, 1, Tier::fine).size(), 0u);
  EXPECT_EQ(read_buckets(*history_, 1, Tier::hour).size(), 1u);
  EXPECT_EQ(read_points(*history_, 1).size(), 1u);
  EXPECT_EQ(read_buckets(*history_, 2, Tier::fine).size(), 128u);
  EXPECT_EQ(read_points(*history_, 2).size(), 1u);
  EXPECT_EQ(read_buckets(*history_, 9, Tier::fine).size(), 128u);
  EXPECT_EQ(read_buckets(*history_, 9, Tier::hour).size(), 0u);
  EXPECT_EQ(read_points(*history_, 9).size(), 0u);
}

TEST_F(RetentionTest, AnEmptyFileAsksForNoSeries) {
  const auto more = history_->expire(at_minute(1), [](SeriesId) {
    ADD_FAILURE() << "there is no series";
    return keep_all();
  });
  ASSERT_TRUE(more);
  EXPECT_FALSE(*more);
}

TEST_F(RetentionTest, OneCallDeletesABoundedNumberAndTheNextGoesOn) {
  constexpr int kBlocks = 1300;
  append_minutes(*history_, 7, 0, 128 * kBlocks);
  append_minutes(*history_, 8, 0, 128);
  ASSERT_TRUE(history_->checkpoint("", {}));
  const auto keep = [](SeriesId) { return keep_fine(kMinute); };
  const Time now = at_minute(128 * kBlocks + 60);
  const auto more = history_->expire(now, keep);
  ASSERT_TRUE(more);
  EXPECT_TRUE(*more);
  EXPECT_EQ(read_buckets(*history_, 7, Tier::fine).size(), 128u * (kBlocks - 500));
  EXPECT_LE(expire_all(*history_, now, keep), 3);
  EXPECT_EQ(read_buckets(*history_, 7, Tier::fine).size(), 0u);
  EXPECT_EQ(read_buckets(*history_, 8, Tier::fine).size(), 0u);
}

TEST_F(RetentionTest, TheBoundCountsTheBlocksOfAllSeriesOfACall) {
  for (const SeriesId series : {7u, 8u}) {
    append_minutes(*history_, series, 0, 128 * 300);
  }
  ASSERT_TRUE(history_->checkpoint("", {}));
  const auto keep = [](SeriesId) { return keep_fine(kMinute); };
  EXPECT_EQ(history_->expire(at_minute(128 * 301), keep), true);
  EXPECT_EQ(read_buckets(*history_, 7, Tier::fine).size(), 0u);
  EXPECT_EQ(read_buckets(*history_, 8, Tier::fine).size(), 128u * 100);
}

TEST_F(RetentionTest, ManySeriesAreVisitedInSeveralCallsAndEachOnceAPass) {
  constexpr SeriesId kSeries = 1200;
  for (SeriesId series = 0; series < kSeries; ++series) {
    append_minutes(*history_, series, 0, 1);
  }
  ASSERT_TRUE(history_->checkpoint("", {}));
  std::vector<int> visits(kSeries);
  const auto keep = [&](SeriesId series) {
    ++visits[series];
    return keep_all();
  };
  EXPECT_EQ(expire_all(*history_, at_minute(5), keep), 3);
  EXPECT_THAT(visits, testing::Each(1));
}

TEST_F(RetentionTest, AKeepLongerThanTimeItselfKeepsAll) {
  append_minutes(*history_, 1, 0, 128);
  ASSERT_TRUE(history_->checkpoint("", {}));
  const auto keep = [](SeriesId) { return keep_fine(kForever - Duration{1}); };
  expire_all(*history_, Time::min(), keep);
  expire_all(*history_, at_minute(0), keep);
  EXPECT_EQ(read_buckets(*history_, 1, Tier::fine).size(), 128u);
}

TEST_F(RetentionTest, WhatIsNotCheckpointedYetIsLeftForThePassAfterIt) {
  append_minutes(*history_, 1, 0, 10);
  const auto keep = [](SeriesId) { return keep_fine(kMinute); };
  expire_all(*history_, at_minute(1000), keep);
  EXPECT_EQ(read_buckets(*history_, 1, Tier::fine).size(), 10u);
  ASSERT_TRUE(history_->checkpoint("", {}));
  expire_all(*history_, at_minute(1000), keep);
  EXPECT_EQ(read_buckets(*history_, 1, Tier::fine).size(), 0u);
}

TEST_F(RetentionTest, TheSeriesGoesOnAfterAllOfItWasDeleted) {
  append_minutes(*history_, 1, 0, 10);
  ASSERT_TRUE(history_->checkpoint("", {}));
  expire_all(*history_, at_minute(1000), [](SeriesId) { return keep_fine(kMinute); });
  append_minutes(*history_, 1, 1000, 1002);
  ASSERT_TRUE(history_->checkpoint("", {}));
  EXPECT_EQ(read_buckets(*history_, 1, Tier::fine), buckets_of_minutes(1000, 1002));
}

TEST_F(RetentionTest, FarTooManyFreePagesGoBackToTheFileSystem) {
  // About 40 MB of journal rows, cut by the checkpoint.
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(history_->commit_turn(std::string(1'000'000, 'x'), {}, {}));
  }
  ASSERT_TRUE(history_->checkpoint("", {}));
  history_.reset();
  const auto bytes_before = std::filesystem::file_size(directory_.file("history.db"));
  ASSERT_GT(bytes_before, 40'000'000u);
  history_ = open_history(directory_.path());
  ASSERT_TRUE(history_);
  for (int calls = 0; calls < 100; ++calls) {
    ASSERT_TRUE(history_->expire(at_minute(1), [](SeriesId) { return keep_all(); }));
  }
  history_.reset();
  EXPECT_LT(std::filesystem::file_size(directory_.file("history.db")), 12'000'000u);
}

}  // namespace
}  // namespace rollup::history
