// A disk without space, made with a limit on the size of files in a child process.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "unit/history/history_support.h"

namespace rollup::history {
namespace {

// From here on no file can grow beyond `bytes`.
void limit_files(std::uint64_t bytes) {
  struct rlimit limit {};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

void lift_limit() { limit_files(RLIM_INFINITY); }

// The number of the first claim that does not hold ends the child with it.
void claim(bool holds, int number) {
  if (!holds) {
    ::_exit(number);
  }
}

// Runs `work` in a process of its own, as the limit holds for the whole process; 0 is success.
int run_limited(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    work();
    ::_exit(0);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr std::uint64_t kLimit = 300'000;

TEST(FullDiskTest, ATurnThatDoesNotFitWritesNothingAndMayBeTriedAgain) {
  const TemporaryDirectory directory;
  const std::string row(20'000, 'r');
  EXPECT_EQ(run_limited([&] {
              auto history = History::open({directory.path()});
              claim(history.has_value(), 1);
              limit_files(kLimit);
              const std::vector<std::string> outbox = {"notification"};
              std::uint64_t committed = 0;
              Result<std::vector<std::uint64_t>> result;
              for (; committed < 1000; ++committed) {
                result = (*history)->commit_turn(row, outbox, {});
                if (!result) {
                  break;
                }
              }
              claim(!result, 2);
              claim(result.error().code == ErrorCode::storage, 3);
              claim(result.error().place == directory.file("history.db"), 4);
              claim(result.error().message.find("space") != std::string::npos, 5);
              claim(committed > 3, 6);
              claim((*history)->counts().journal_rows == committed, 7);
              claim((*history)->counts().outbox == committed, 8);
              claim(!(*history)->commit_turn(row, outbox, {}), 9);
              claim((*history)->outbox().value().size() == committed, 10);
              lift_limit();
              claim((*history)->commit_turn(row, outbox, {}).has_value(), 11);
              claim((*history)->outbox().value().size() == committed + 1, 12);
              claim((*history)->counts().journal_rows == committed + 1, 13);
            }),
            0);
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  EXPECT_EQ(history->moved_aside(), "");
  const std::vector<std::string> rows = read_journal(*history);
  EXPECT_THAT(rows, testing::Each(row));
  EXPECT_EQ(rows.size(), history->outbox().value().size());
}

TEST(FullDiskTest, ACheckpointThatDoesNotFitChangesNothingAndMayBeTriedAgain) {
  const TemporaryDirectory directory;
  const std::vector<std::string> small = {"small"};
  const std::vector<std::string> large = {std::string(2'000'000, 'e')};
  EXPECT_EQ(run_limited([&] {
              auto opened = History::open({directory.path()});
              claim(opened.has_value(), 1);
              History& history = **opened;
              append_minutes(history, 1, 0, 10);
              claim(history.checkpoint("one", small).has_value(), 2);
              claim(history.commit_turn("row", {}, {}).has_value(), 3);
              append_minutes(history, 1, 10, 20);
              limit_files(kLimit);
              const auto failed = history.checkpoint("two", large);
              claim(!failed && failed.error().code == ErrorCode::storage, 4);
              claim(history.load_checkpoint().value()->config == "one", 5);
              claim(history.load_checkpoint().value()->engine == small, 6);
              claim(history.counts().journal_rows == 1, 7);
              claim(read_buckets(history, 1, Tier::fine) == buckets_of_minutes(0, 20), 8);
              append_minutes(history, 1, 20, 25);
              lift_limit();
              claim(history.checkpoint("two", large).has_value(), 9);
              claim(read_buckets(history, 1, Tier::fine) == buckets_of_minutes(0, 25), 10);
            }),
            0);
  const auto history = open_history(directory.path());
  ASSERT_TRUE(history);
  EXPECT_EQ(history->load_checkpoint().value()->config, "two");
  EXPECT_EQ(history->load_checkpoint().value()->engine, large);
  EXPECT_THAT(read_journal(*history), testing::IsEmpty());
  EXPECT_EQ(read_buckets(*history, 1, Tier::fine), buckets_of_minutes(0, 25));
}

TEST(FullDiskTest, AStartWithoutSpaceIsAnErrorAndMovesNothingAside) {
  const TemporaryDirectory directory;
  EXPECT_EQ(run_limited([&] {
              limit_files(1000);
              const auto opened = History::open({directory.path()});
              claim(!opened, 1);
              claim(opened.error().code == ErrorCode::storage, 2);
              claim(!std::filesystem::exists(directory.file("history.db.unreadable-1")), 3);
              lift_limit();
              const auto again = History::open({directory.path()});
              claim(again.has_value() && (*again)->moved_aside().empty(), 4);
            }),
            0);
}

}  // namespace
}  // namespace rollup::history
