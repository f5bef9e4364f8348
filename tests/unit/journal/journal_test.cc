#include "journal/journal.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "journal/frame.h"
#include "support/temp_dir.h"

namespace rollup::journal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// The real disk, of which appends fail half way while it is full.
class FullDisk final : public Disk {
 public:
  class FullFile final : public File {
   public:
    FullFile(const bool& is_full, std::unique_ptr<File> real)
        : is_full_(is_full), real_(std::move(real)) {}
    Result<void> append(std::string_view bytes) override {
      if (is_full_) {
        (void)real_->append(bytes.substr(0, bytes.size() / 2));
        return fail(ErrorCode::storage, "", "full");
      }
      return real_->append(bytes);
    }
    Result<void> cut(std::uint64_t size) override { return real_->cut(size); }
    Result<void> sync() override { return real_->sync(); }
    bool is_removed() const override { return real_->is_removed(); }

   private:
    const bool& is_full_;
    std::unique_ptr<File> real_;
  };

  Result<std::unique_ptr<File>> create(const std::string& path) override {
    auto file = real_.create(path);
    return std::make_unique<FullFile>(is_full, *std::move(file));
  }
  Result<std::string> read(const std::string& path) const override { return real_.read(path); }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return real_.rename(from, to);
  }
  Result<void> remove(const std::string& path) override { return real_.remove(path); }
  Result<void> cut(const std::string& path, std::uint64_t size) override {
    return real_.cut(path, size);
  }
  Result<void> sync_directory(const std::string& directory) override {
    return real_.sync_directory(directory);
  }
  std::vector<std::string> list(const std::string& directory) const override {
    return real_.list(directory);
  }
  bool exists(const std::string& path) const override { return real_.exists(path); }
  bool can_fork() const override { return false; }

  bool is_full = false;

 private:
  Disk& real_ = posix_disk();
};

class JournalTest : public ::testing::Test {
 protected:
  std::string directory() const { return directory_.path().string() + "/journal"; }
  std::string file(int segment) const {
    return directory() + "/" + std::to_string(segment) + ".log";
  }

  std::unique_ptr<Journal> open(bool full_sync = false) {
    auto journal = Journal::open(disk_, directory(), full_sync);
    EXPECT_TRUE(journal) << journal.error().message;
    return journal ? *std::move(journal) : nullptr;
  }

  // Segments 1 and 2 with three turns each.
  void write_two_segments() {
    const auto journal = open();
    for (const std::string segment : {"a", "b"}) {
      ASSERT_TRUE(journal->begin_segment("rules " + segment));
      for (const std::string turn : {"1", "2", "3"}) {
        ASSERT_TRUE(journal->append("turn " + segment + turn, Duration{0}));
      }
    }
  }

  std::vector<std::string> replay(Journal& journal, std::uint64_t from = 1) {
    std::vector<std::string> records;
    losses_ = journal.replay(from, [&](std::uint64_t, RecordType, std::string_view record) {
      records.emplace_back(record);
      return Result<void>();
    });
    return records;
  }

  FullDisk disk_;
  rollup::testing::TempDir directory_;
  Losses losses_;
};

TEST_F(JournalTest, ChecksumIsThatOfRfc3720) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c("56789", crc32c("1234")), 0xe3069283U);
}

TEST_F(JournalTest, WhatWasAppendedComesBackInOrder) {
  write_two_segments();
  const auto journal = open();
  EXPECT_THAT(journal->segments(), ElementsAre(1, 2));
  EXPECT_THAT(replay(*journal), ElementsAre("rules a", "turn a1", "turn a2", "turn a3", "rules b",
                                            "turn b1", "turn b2", "turn b3"));
  EXPECT_THAT(losses_, IsEmpty());
  EXPECT_THAT(replay(*journal, 2), ElementsAre("rules b", "turn b1", "turn b2", "turn b3"));
}

TEST_F(JournalTest, ASegmentOfVersion1IsRead) {
  write_two_segments();
  std::string bytes("mqrujrn\x01", kFileHeadBytes);
  put_frame(bytes, 1, "rules a");
  put_frame(bytes, 2, "turn of before");
  write_file(file(1), bytes);
  const auto journal = open();
  std::vector<RecordType> types;
  EXPECT_THAT(journal->replay(1,
                              [&](std::uint64_t, RecordType type, std::string_view) {
                                types.push_back(type);
                                return Result<void>();
                              }),
              IsEmpty());
  using enum RecordType;
  EXPECT_THAT(types, ElementsAre(rules, turn_version_1, rules, turns, turns, turns));
}

TEST_F(JournalTest, ASegmentOfALaterVersionIsLeftOutAndSaid) {
  write_two_segments();
  write_file(file(1), "mqrujrn\x03 and what nobody knows yet");
  const auto journal = open();
  EXPECT_THAT(replay(*journal), ElementsAre("rules b", "turn b1", "turn b2", "turn b3"));
  ASSERT_THAT(losses_, SizeIs(1));
  EXPECT_THAT(losses_[0], HasSubstr("is no journal of this version"));
}

TEST_F(JournalTest, AnotherRunBeginsANewSegmentAndAtLeastTheGivenOne) {
  write_two_segments();
  const auto journal = open();
  ASSERT_TRUE(journal->begin_segment("rules c"));
  EXPECT_EQ(journal->segment(), 3U);
  ASSERT_TRUE(journal->begin_segment("rules d", 9));
  EXPECT_EQ(journal->segment(), 9U);
}

// Wherever the end is: what stands before it is there, and the segment is as if nothing had
// followed.
TEST_F(JournalTest, ATornTailIsCut) {
  write_two_segments();
  const std::string bytes = read_file(file(2));
  const std::size_t last = bytes.size() - kFrameHeadBytes - 7;
  for (std::size_t size = last; size < bytes.size(); ++size) {
    write_file(file(2), bytes.substr(0, size));
    const auto journal = open();
    EXPECT_EQ(replay(*journal).size(), 7U) << size;
    EXPECT_THAT(losses_, IsEmpty()) << size;
    EXPECT_EQ(std::filesystem::file_size(file(2)), last) << size;
  }
}

TEST_F(JournalTest, ZerosAtTheEndOfAFileThatLostItsPowerAreCut) {
  write_two_segments();
  const std::string bytes = read_file(file(2));
  write_file(file(2), bytes + std::string(4096, '\0'));
  const auto journal = open();
  EXPECT_EQ(replay(*journal).size(), 8U);
  EXPECT_THAT(losses_, IsEmpty());
  EXPECT_EQ(read_file(file(2)), bytes);
}

// Each bit of the first segment: what stands before the damage and the other segment are read, and
// what is lost is said.
TEST_F(JournalTest, DamageInTheMiddleTakesNothingButWhatFollowsInItsSegment) {
  write_two_segments();
  const std::string bytes = read_file(file(1));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    write_file(file(1), damaged);
    const auto journal = open();
    const std::vector<std::string> records = replay(*journal);
    ASSERT_GE(records.size(), 4U);
    EXPECT_LT(records.size(), 8U) << at;
    EXPECT_EQ(records[records.size() - 4], "rules b");
    ASSERT_THAT(losses_, ElementsAre(HasSubstr("1.log")));
    EXPECT_THAT(losses_.front(), HasSubstr("bytes")) << at;
  }
}

TEST_F(JournalTest, ADamagedSegmentIsMovedAsideWhereOthersAreRemoved) {
  write_two_segments();
  std::string bytes = read_file(file(1));
  bytes[bytes.size() / 2] ^= 1;
  write_file(file(1), bytes);
  const auto journal = open();
  replay(*journal);
  ASSERT_TRUE(journal->begin_segment("rules c"));
  journal->remove_before(3);
  EXPECT_THAT(posix_disk().list(directory()), ElementsAre("1.log.unreadable-1", "3.log"));
  EXPECT_EQ(read_file(file(1) + ".unreadable-1"), bytes);
}

TEST_F(JournalTest, ASegmentThatIsMissingIsSaid) {
  write_two_segments();
  std::filesystem::remove(file(1));
  const auto journal = open();
  EXPECT_EQ(replay(*journal).size(), 4U);
  EXPECT_THAT(losses_, ElementsAre(HasSubstr("1.log is missing")));
}

TEST_F(JournalTest, AnAppendThatFailsLeavesTheSegmentAsItWas) {
  const auto journal = open();
  ASSERT_TRUE(journal->begin_segment("rules"));
  ASSERT_TRUE(journal->append("first", Duration{0}));
  const std::string before = read_file(file(1));
  disk_.is_full = true;
  EXPECT_FALSE(journal->append("second", Duration{0}));
  EXPECT_EQ(read_file(file(1)), before);
  disk_.is_full = false;
  ASSERT_TRUE(journal->append("second", Duration{0}));
  EXPECT_THAT(replay(*journal), ElementsAre("rules", "first", "second"));
}

TEST_F(JournalTest, WhatIsAppendedToAFileThatWasRemovedIsRefused) {
  const auto journal = open();
  ASSERT_TRUE(journal->begin_segment("rules"));
  std::filesystem::remove_all(directory());
  const Result<void> appended = journal->append("turn", Duration{0});
  ASSERT_FALSE(appended);
  EXPECT_THAT(appended.error().message, HasSubstr("was removed"));
}

TEST_F(JournalTest, WhatIsDirtyIsSyncedAfterHalfAMinute) {
  const auto journal = open();
  ASSERT_TRUE(journal->begin_segment("rules"));
  EXPECT_FALSE(journal->is_dirty());
  ASSERT_TRUE(journal->append("turn", Duration{1000}));
  EXPECT_TRUE(journal->is_dirty());
  ASSERT_TRUE(journal->sync_if_due(Duration{30'999}));
  EXPECT_TRUE(journal->is_dirty());
  ASSERT_TRUE(journal->sync_if_due(Duration{31'000}));
  EXPECT_FALSE(journal->is_dirty());
}

}  // namespace
}  // namespace rollup::journal
