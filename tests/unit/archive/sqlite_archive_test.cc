#include "archive/sqlite_archive.h"

#include <gmock/gmock.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>

#include "archive/sealed.h"
#include "model/config.h"
#include "support/temp_dir.h"
#include "unit/archive/minutes.h"

namespace rollup::archive {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const SeriesKey kKey{"temp", "ejabberd", "home/kitchen/temp", ""};
const SeriesKey kOther{"temp", "ejabberd", "home/hall/temp", ""};

class SqliteArchiveTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    archive_.reset();
    auto opened = SqliteArchive::open(path());
    ASSERT_TRUE(opened) << opened.error().message;
    archive_ = std::move(opened->archive);
    told_ = opened->told;
  }

  std::string path() const { return directory_.file("archive.db"); }

  static SealedRun run(const SeriesKey& key, std::int64_t from, std::int64_t to) {
    SealedRun run{.key = key, .buckets = {}, .points = {}};
    run.buckets[static_cast<std::size_t>(Tier::fine)] = buckets_of_minutes(from, to);
    return run;
  }

  void write(const SealedRun& run) {
    const auto written = archive_->write({&run, 1});
    ASSERT_TRUE(written) << written.error().message;
  }

  std::vector<Bucket> read(const SeriesKey& key, Tier tier = Tier::fine) {
    std::vector<Bucket> buckets;
    const auto done =
        archive_->read(key, tier, Time::min(), Time::max(), [&](const Bucket& bucket) {
          buckets.push_back(bucket);
          return true;
        });
    EXPECT_TRUE(done) << done.error().message;
    return buckets;
  }

  // Past the archive, as a person might.
  void execute(const std::string& sql) {
    archive_.reset();
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
  }

  rollup::testing::TempDir directory_;
  std::unique_ptr<SqliteArchive> archive_;
  std::vector<std::string> told_;
};

TEST_F(SqliteArchiveTest, WhatWasWrittenIsReadByKeyAlsoAfterAStart) {
  write(run(kKey, 0, 300));
  write(run(kOther, 0, 5));
  open();
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_EQ(read(kKey), buckets_of_minutes(0, 300));
  EXPECT_EQ(read(kOther), buckets_of_minutes(0, 5));
  EXPECT_THAT(read({"temp", "ejabberd", "home/attic/temp", ""}), IsEmpty());
  EXPECT_EQ(archive_->newest(kKey, Tier::fine), at_minute(299));
  EXPECT_EQ(archive_->newest(kKey, Tier::hour), Time::min());
}

TEST_F(SqliteArchiveTest, WritingTheSameAgainChangesNothing) {
  write(run(kKey, 0, 200));
  write(run(kKey, 100, 250));
  EXPECT_EQ(read(kKey), buckets_of_minutes(0, 250));
}

// 67 series with a value each ten minutes for a week, flushed each day: what is on the disk per raw
// sample, all of the file counted.
TEST_F(SqliteArchiveTest, SlowSeriesTakeAtMostThreeBytesARawSample) {
  std::size_t count = 0;
  for (int day = 0; day < 28; ++day) {
    std::vector<SealedRun> runs;
    for (int series = 0; series < 67; ++series) {
      SealedRun& run = runs.emplace_back();
      run.key = {"t", "b", "home/room" + std::to_string(series) + "/t", ""};
      for (int i = 0; i < 144; ++i) {
        const int at = day * 144 + i;
        run.points.push_back({at_minute(29'588'400 + 10 * at),
                              20 + static_cast<double>((at * 7 + series) % 12) / 10});
        ++count;
      }
    }
    ASSERT_TRUE(archive_->write(runs));
  }
  archive_.reset();
  const auto bytes = static_cast<double>(std::filesystem::file_size(path()));
  RecordProperty("bytes_a_sample", std::to_string(bytes / static_cast<double>(count)));
  EXPECT_LE(bytes / static_cast<double>(count), 3.0);
}

TEST_F(SqliteArchiveTest, ADamagedBlockIsLeftOutAndCounted) {
  write(run(kKey, 0, 128 * 3));
  execute("UPDATE block SET data = x'0142ff' WHERE start = " +
          std::to_string(to_ms(at_minute(128))));
  open();
  std::vector<Bucket> expected = buckets_of_minutes(0, 128);
  const std::vector<Bucket> last = buckets_of_minutes(256, 384);
  expected.insert(expected.end(), last.begin(), last.end());
  EXPECT_EQ(read(kKey), expected);
  EXPECT_EQ(archive_->counts().damaged, 1U);
}

// Whatever a damaged row says of itself: nothing of it may end the program.
TEST_F(SqliteArchiveTest, RowsThatMakeNoSenseDoNoHarm) {
  write(run(kKey, 0, 200));
  execute(
      "UPDATE block SET series = series | 65536, tier = 77, start = -9223372036854775808, "
      "last = 9223372036854775807, count = -1 WHERE id = 1;"
      "UPDATE block SET last = -9223372036854775808, end = -1, count = 9223372036854775807 "
      "WHERE id = 2");
  open();
  read(kKey);
  write(run(kKey, 200, 400));
  const auto keep = [](const SeriesKey&) { return Keep{kMinute, kMinute, kMinute, kMinute}; };
  EXPECT_TRUE(archive_->expire(at_minute(1000), keep));
}

TEST_F(SqliteArchiveTest, ADamagedFileIsMovedAsideAndWhatCanBeReadIsSaved) {
  for (int series = 0; series < 400; ++series) {
    write(run({"temp", "ejabberd", "home/" + std::to_string(series) + "/temp", ""}, 0, 128));
  }
  archive_.reset();
  const auto size = std::filesystem::file_size(path());
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size / 2));
    file << std::string(64, '\xff');
    // So that it is looked at from end to end, as after a kill.
    std::ofstream(path() + "-wal", std::ios::binary) << std::string(32, 'x');
  }
  const std::string damaged = [&] {
    std::ifstream in(path(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }();
  open();
  if (told_.empty()) {
    GTEST_SKIP() << "SQLite does not see this damage";
  }
  ASSERT_THAT(told_, SizeIs(1));
  EXPECT_THAT(told_.front(), HasSubstr("archive.db.unreadable-1"));
  std::ifstream in(path() + ".unreadable-1", std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), damaged);
  EXPECT_EQ(read({"temp", "ejabberd", "home/0/temp", ""}), buckets_of_minutes(0, 128));
  EXPECT_EQ(read({"temp", "ejabberd", "home/399/temp", ""}), buckets_of_minutes(0, 128));
}

TEST_F(SqliteArchiveTest, AFileThatIsNoDatabaseIsMovedAside) {
  archive_.reset();
  std::ofstream(path(), std::ios::binary) << std::string(10'000, 'x');
  open();
  EXPECT_THAT(told_, ElementsAre(HasSubstr("archive.db.unreadable-1")));
  write(run(kKey, 0, 3));
}

TEST_F(SqliteArchiveTest, AnEmptyFileIsSaid) {
  archive_.reset();
  std::ofstream(path(), std::ios::binary | std::ios::trunc).close();
  open();
  EXPECT_THAT(told_, ElementsAre(HasSubstr("is empty")));
}

TEST_F(SqliteArchiveTest, BlocksThatEndedBeforeGoAndTheOthersStay) {
  write(run(kKey, 0, 128 * 5));
  write(run(kOther, 0, 128 * 5));
  const auto keep = [](const SeriesKey& key) {
    return Keep{kForever, key == kKey ? 100 * kMinute : kForever, kForever, kForever};
  };
  while (archive_->expire(at_minute(357), keep).value()) {
  }
  // The second block ended at minute 256.
  EXPECT_EQ(read(kKey), buckets_of_minutes(256, 640));
  EXPECT_EQ(read(kOther), buckets_of_minutes(0, 640));
}

class SealedTest : public SqliteArchiveTest {
 protected:
  void append(std::int64_t from, std::int64_t to) {
    for (const Bucket& bucket : buckets_of_minutes(from, to)) {
      sealed().append(kKey, Tier::fine, bucket);
    }
  }
  std::vector<Bucket> read_sealed() {
    std::vector<Bucket> buckets;
    EXPECT_TRUE(
        sealed().read(kKey, Tier::fine, Time::min(), Time::max(), [&](const Bucket& bucket) {
          buckets.push_back(bucket);
          return true;
        }));
    return buckets;
  }
  Sealed& sealed() {
    if (!sealed_) {
      sealed_.emplace(*archive_);
    }
    return *sealed_;
  }
  std::optional<Sealed> sealed_;
};

TEST_F(SealedTest, IsReadTogetherWithTheArchiveAtEachStepOfAFlush) {
  append(0, 100);
  EXPECT_EQ(read_sealed(), buckets_of_minutes(0, 100));
  sealed().begin_flush();
  append(100, 150);
  EXPECT_EQ(read_sealed(), buckets_of_minutes(0, 150));
  ASSERT_TRUE(sealed().flush_piece());
  EXPECT_FALSE(sealed().is_flushing());
  EXPECT_EQ(read_sealed(), buckets_of_minutes(0, 150));
  EXPECT_EQ(read(kKey), buckets_of_minutes(0, 100));
}

// As a replay does that seals again what the archive has.
TEST_F(SealedTest, WhatTheArchiveHasIsNotGivenTwice) {
  write(run(kKey, 0, 120));
  append(90, 130);
  EXPECT_EQ(read_sealed(), buckets_of_minutes(0, 130));
  sealed().begin_flush();
  ASSERT_TRUE(sealed().flush_piece());
  EXPECT_EQ(read_sealed(), buckets_of_minutes(0, 130));
}

TEST_F(SealedTest, AFlushIsMadeOfPieces) {
  for (int series = 0; series < 1000; ++series) {
    sealed().append({"temp", "ejabberd", std::to_string(series), ""}, Tier::fine,
                    bucket_of_minute(1));
  }
  sealed().begin_flush();
  int pieces = 0;
  for (; sealed().is_flushing(); ++pieces) {
    ASSERT_TRUE(sealed().flush_piece());
  }
  EXPECT_EQ(pieces, 5);
  EXPECT_EQ(sealed().bytes(), 0U);
  EXPECT_THAT(read({"temp", "ejabberd", "999", ""}), SizeIs(1));
}

}  // namespace
}  // namespace rollup::archive
