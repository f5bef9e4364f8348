// Opening: modes, the lock, and files that are not ours to read.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "history/files.h"
#include "history/history.h"
#include "history/schema.h"
#include "unit/history/history_support.h"

namespace rollup::history {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

void execute(const std::string& path, const char* sql) {
  const auto connection = Connection::open(path);
  ASSERT_TRUE(connection);
  const auto done = (*connection)->execute(sql);
  ASSERT_TRUE(done) << done.error().message;
}

// A file with one turn in its journal, closed.
void make_history(const std::string& directory) {
  const auto history = open_history(directory);
  ASSERT_TRUE(history);
  ASSERT_TRUE(history->commit_turn("row", {}, {}));
}

// Opens, and expects that the file was moved aside for `reason` and a new, empty one works.
void expect_moved_aside(const TemporaryDirectory& directory, const std::string& reason) {
  const std::string before = read_file(directory.file("history.db"));
  {
    const auto history = open_history(directory.path());
    ASSERT_TRUE(history);
    EXPECT_THAT(history->moved_aside(), HasSubstr(directory.file("history.db.unreadable-1")));
    EXPECT_THAT(history->moved_aside(), HasSubstr(reason));
    EXPECT_EQ(read_file(directory.file("history.db.unreadable-1")), before) << "it was changed";
    EXPECT_THAT(read_journal(*history), IsEmpty());
    ASSERT_TRUE(history->commit_turn("new", {}, {}));
  }
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  EXPECT_EQ(history->moved_aside(), "");
  EXPECT_THAT(read_journal(*history), ElementsAre("new"));
}

TEST(OpenTest, DirectoryAndFilesBelongToTheUserAlone) {
  const TemporaryDirectory parent;
  const mode_t mask = ::umask(0);
  const std::string directory = parent.file("a/b");
  {
    const auto history = open_history(directory);
    ASSERT_TRUE(history);
    ASSERT_TRUE(history->commit_turn("row", {}, {}));
    EXPECT_EQ(mode_of(parent.file("a")), 0700u);
    EXPECT_EQ(mode_of(directory), 0700u);
    for (const char* name : {"/history.db", "/history.db-wal", "/history.lock"}) {
      EXPECT_EQ(mode_of(directory + name), 0600u) << name;
    }
  }
  ::umask(mask);
}

TEST(OpenTest, AStrictUmaskDoesNotLockUsOut) {
  const TemporaryDirectory parent;
  const mode_t mask = ::umask(0777);
  const std::string directory = parent.file("a/b");
  make_history(directory);
  ::umask(mask);
  EXPECT_EQ(mode_of(directory), 0700u);
  EXPECT_EQ(mode_of(directory + "/history.db"), 0600u);
}

TEST(OpenTest, ASecondHolderIsToldWhoHasItAndWhatToDo) {
  const TemporaryDirectory directory;
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  const auto second = History::open({directory.path()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
  EXPECT_EQ(second.error().place, directory.file("history.lock"));
  EXPECT_THAT(second.error().message, HasSubstr("process " + std::to_string(::getpid())));
  EXPECT_THAT(second.error().message, HasSubstr("data_dir"));
}

TEST(OpenTest, TheLockHoldsAgainstAnotherProgramAndEndsWithItsHolder) {
  const TemporaryDirectory directory;
  int ready[2];
  int finish[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(finish), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto history = History::open({directory.path()});
    char byte = history ? 'y' : 'n';
    const bool is_told = ::write(ready[1], &byte, 1) == 1 && ::read(finish[0], &byte, 1) == 1;
    ::_exit(is_told ? 0 : 1);  // without closing the history
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const auto refused = History::open({directory.path()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("process " + std::to_string(child)));
  ASSERT_EQ(::write(finish[1], "x", 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(open_history(directory.path()));
  for (const int descriptor : {ready[0], ready[1], finish[0], finish[1]}) {
    ::close(descriptor);
  }
}

TEST(OpenTest, TextIsMovedAside) {
  const TemporaryDirectory directory;
  write_file(directory.file("history.db"), std::string(10'000, 'x'));
  expect_moved_aside(directory, "not a database");
}

TEST(OpenTest, AFileOfTwoBytesIsMovedAside) {
  const TemporaryDirectory directory;
  write_file(directory.file("history.db"), "xy");
  expect_moved_aside(directory, "not a database");
}

TEST(OpenTest, AnEmptyFileIsANewOne) {
  const TemporaryDirectory directory;
  write_file(directory.file("history.db"), "");
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  EXPECT_EQ(history->moved_aside(), "");
}

TEST(OpenTest, ANewerSchemaIsMovedAsideUnchanged) {
  const TemporaryDirectory directory;
  make_history(directory.path());
  execute(directory.file("history.db"), "PRAGMA user_version = 77");
  expect_moved_aside(directory, "schema version 77");
}

TEST(OpenTest, TheDatabaseOfAnotherProgramIsMovedAsideUnchanged) {
  const TemporaryDirectory directory;
  write_file(directory.file("history.db"), "");
  execute(directory.file("history.db"), "CREATE TABLE mine(x); INSERT INTO mine VALUES (1)");
  expect_moved_aside(directory, "another program");
}

TEST(OpenTest, AMissingTableIsNoticedAtTheStart) {
  const TemporaryDirectory directory;
  make_history(directory.path());
  execute(directory.file("history.db"), "DROP TABLE block");
  expect_moved_aside(directory, "block");
}

TEST(OpenTest, AJournalThatCannotBeReadIsNoticedAtTheStart) {
  const TemporaryDirectory directory;
  {
    const auto history = open_history(directory.path());
    ASSERT_TRUE(history);
    ASSERT_TRUE(history->commit_turn(std::string(200'000, 'j'), {}, {}));
  }
  // All but the first pages: the tables are there, the row's bytes are not.
  std::string bytes = read_file(directory.file("history.db"));
  ASSERT_GT(bytes.size(), 200'000u);
  for (std::size_t i = bytes.size() - 150'000; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(0xee);
  }
  write_file(directory.file("history.db"), bytes);
  expect_moved_aside(directory, "malformed");
}

TEST(OpenTest, AfterAKillAFileIsCheckedFromEndToEnd) {
  const TemporaryDirectory directory;
  {
    const auto history = open_history(directory.path());
    ASSERT_TRUE(history);
    append_minutes(*history, 1, 0, 100'000);
    ASSERT_TRUE(history->checkpoint("", {}));
  }
  // Damage in the blocks, which a start does not read, and a log as a kill leaves it.
  std::string bytes = read_file(directory.file("history.db"));
  const std::size_t middle = bytes.size() / 2 / 4096 * 4096;
  bytes.replace(middle, 8192, 8192, '\xee');
  write_file(directory.file("history.db"), bytes);
  {
    const auto history = open_history(directory.path());
    ASSERT_TRUE(history);
    EXPECT_EQ(history->moved_aside(), "") << "an end without a kill is trusted";
  }
  write_file(directory.file("history.db-wal"), "torn");
  expect_moved_aside(directory, "damaged");
  EXPECT_TRUE(std::filesystem::exists(directory.file("history.db.unreadable-1-wal")));
}

TEST(OpenTest, WhatIsMovedAsideNeverOverwritesWhatWasMovedBefore) {
  const TemporaryDirectory directory;
  for (const char* text : {"first", "second", "third"}) {
    write_file(directory.file("history.db"), text);
    ASSERT_TRUE(open_history(directory.path()));
    std::filesystem::remove(directory.file("history.db"));
  }
  EXPECT_EQ(read_file(directory.file("history.db.unreadable-1")), "first");
  EXPECT_EQ(read_file(directory.file("history.db.unreadable-2")), "second");
  EXPECT_EQ(read_file(directory.file("history.db.unreadable-3")), "third");
}

TEST(OpenTest, AFileThatTheCallerCannotReadIsMovedAsideWithItsContent) {
  const TemporaryDirectory directory;
  make_history(directory.path());
  const Error why{ErrorCode::unsupported, "", "the checkpoint is of a newer program"};
  auto history = History::begin_anew(open_history(directory.path()), {directory.path()}, why);
  ASSERT_TRUE(history) << history.error().message;
  EXPECT_EQ((*history)->moved_aside(),
            directory.file("history.db.unreadable-1") + ": the checkpoint is of a newer program");
  EXPECT_THAT(read_journal(**history), IsEmpty());
  const auto second = History::open({directory.path()});
  ASSERT_FALSE(second) << "the lock was lost";
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
  history->reset();
  // Renamed back it is what it was.
  std::filesystem::rename(directory.file("history.db.unreadable-1"), directory.file("history.db"));
  EXPECT_THAT(read_journal(*open_history(directory.path())), ElementsAre("row"));
}

TEST(OpenTest, WhatIsNoFaultOfTheFileLeavesItInPlace) {
  const TemporaryDirectory directory;
  make_history(directory.path());
  const auto locker = Connection::open(directory.file("history.db"));
  ASSERT_TRUE(locker);
  ASSERT_TRUE((*locker)->execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"));
  const auto opened = History::open({directory.path()});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::storage);
  EXPECT_EQ(opened.error().place, directory.file("history.db"));
  EXPECT_THAT(opened.error().message, HasSubstr("close it"));
  EXPECT_FALSE(std::filesystem::exists(directory.file("history.db.unreadable-1")));
}

TEST(OpenTest, ADirectoryInPlaceOfTheFileIsAnError) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory.file("history.db"));
  const auto opened = History::open({directory.path()});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::storage);
}

TEST(OpenTest, AFileInPlaceOfTheDirectoryIsAnError) {
  const TemporaryDirectory directory;
  write_file(directory.file("data"), "x");
  for (const char* name : {"data", "data/below"}) {
    const auto opened = History::open({directory.file(name)});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::storage);
  }
}

TEST(OpenTest, APersonMayReadTheFileWhileTheProgramWrites) {
  const TemporaryDirectory directory;
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  ASSERT_TRUE(history->commit_turn("a", {}, {}));
  const auto reader = Connection::open(directory.file("history.db"));
  ASSERT_TRUE(reader);
  ASSERT_TRUE((*reader)->execute("BEGIN"));
  EXPECT_EQ(*(*reader)->integer("SELECT count(*) FROM journal"), 1);
  ASSERT_TRUE(history->commit_turn("b", {}, {}));
  ASSERT_TRUE(history->checkpoint("", {}));
  EXPECT_EQ(*(*reader)->integer("SELECT count(*) FROM journal"), 1);
}

}  // namespace
}  // namespace rollup::history
