// Kills at random moments. A child commits turns as the program does, and says which turns were
// acknowledged; the parent kills it, and what it opens then must be a whole number of turns.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <random>

#include "unit/history/history_support.h"

namespace rollup::history {
namespace {

// A stand-in for the engine: its state is the number of turns it has seen. Turn n seals the bucket
// of minute n, two points, and makes a notification.
struct Turns {
  std::int64_t count = 0;

  void take(History& history, std::int64_t turn) {
    count = turn;
    history.append(1, Tier::fine, bucket_of_minute(turn));
    const std::vector<Point> points = {{at_minute(turn), 1.0}, {at_minute(turn), 2.0}};
    history.append(1, points);
  }
};

std::int64_t number_of(std::string_view text) {
  std::int64_t number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Loads and replays as a start does. Every claim about what must survive is here.
Turns restore(History& history) {
  Turns turns;
  EXPECT_EQ(history.moved_aside(), "");
  const auto checkpoint = history.load_checkpoint();
  EXPECT_TRUE(checkpoint);
  if (checkpoint && *checkpoint) {
    turns.count = number_of((*checkpoint)->engine.at(0));
    EXPECT_EQ(number_of((*checkpoint)->config), turns.count);
  }
  EXPECT_EQ(read_buckets(history, 1, Tier::fine), buckets_of_minutes(1, turns.count + 1))
      << "sealed data must be that of the checkpoint before the journal runs";
  for (const std::string& row : read_journal(history)) {
    // An old journal under a new checkpoint would begin too low, a cut one too high.
    EXPECT_EQ(number_of(row), turns.count + 1);
    turns.take(history, number_of(row));
  }
  EXPECT_EQ(read_buckets(history, 1, Tier::fine), buckets_of_minutes(1, turns.count + 1));
  EXPECT_EQ(read_points(history, 1).size(), static_cast<std::size_t>(turns.count) * 2);
  const auto outbox = history.outbox();
  EXPECT_TRUE(outbox);
  std::int64_t expected = turns.count > 3 ? turns.count - 2 : 1;
  for (const OutboxEntry& entry : *outbox) {
    EXPECT_EQ(number_of(entry.data), expected++);
  }
  EXPECT_EQ(expected, turns.count + 1);
  return turns;
}

// Commits turns until it is killed; writes the number of each acknowledged one, and 0 when a
// checkpoint begins. Keeps the three newest notifications undelivered.
[[noreturn]] void work(const std::string& directory, int acknowledge, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  auto opened = History::open({directory});
  if (!opened) {
    ::_exit(1);
  }
  History& history = **opened;
  Turns turns = restore(history);
  std::vector<std::uint64_t> undelivered;
  const std::vector<OutboxEntry> outbox = history.outbox().value();
  for (const OutboxEntry& entry : outbox) {
    undelivered.push_back(entry.id);
  }
  for (;;) {
    const std::int64_t turn = turns.count + 1;
    const std::string row = std::to_string(turn) + " " + std::string(random() % 3000, 'x');
    const std::vector<std::string> notification = {std::to_string(turn)};
    std::vector<std::uint64_t> delivered;
    if (undelivered.size() == 3) {
      delivered.push_back(undelivered.front());
      undelivered.erase(undelivered.begin());
    }
    const auto ids = history.commit_turn(row, notification, delivered);
    if (!ids || ::write(acknowledge, &turn, sizeof turn) != sizeof turn) {
      ::_exit(2);
    }
    undelivered.push_back(ids->front());
    turns.take(history, turn);
    if (random() % 40 == 0) {
      constexpr std::int64_t kMark = 0;
      if (::write(acknowledge, &kMark, sizeof kMark) != sizeof kMark) {
        ::_exit(3);
      }
      const std::string state = std::to_string(turns.count);
      const std::vector<std::string> parts = {state, std::string(random() % 300'000, 'e')};
      if (!history.checkpoint(state, parts)) {
        ::_exit(4);
      }
    }
  }
}

// Runs a child and kills it some microseconds after `acks` turns were acknowledged or, if
// `in_checkpoint`, after a checkpoint began. Gives the last turn that was acknowledged.
std::int64_t run_and_kill(const std::string& directory, std::uint64_t seed, std::int64_t acks,
                          bool in_checkpoint, std::uint64_t wait_us) {
  int channel[2];
  EXPECT_EQ(::pipe(channel), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(channel[0]);
    work(directory, channel[1], seed);
  }
  ::close(channel[1]);
  std::int64_t last = 0;
  std::int64_t number = 0;
  std::int64_t seen = 0;
  bool is_marked = false;
  while ((seen < acks || (in_checkpoint && !is_marked)) &&
         ::read(channel[0], &number, sizeof number) == sizeof number) {
    is_marked = number == 0;
    last = is_marked ? last : number;
    ++seen;
  }
  const timespec wait{0, static_cast<long>(wait_us * 1000)};
  ::nanosleep(&wait, nullptr);  // not for an event: the moment of the kill is drawn at random
  ::kill(child, SIGKILL);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child gave up with " << WEXITSTATUS(status);
  while (::read(channel[0], &number, sizeof number) == sizeof number) {
    last = number == 0 ? last : number;
  }
  ::close(channel[0]);
  return last;
}

// What was drawn is drawn again with ROLLUP_SEED; the processor's share in the moment is not.
std::uint64_t seed_of_this_run() {
  const char* given = std::getenv("ROLLUP_SEED");
  return given == nullptr ? std::random_device{}() : std::strtoull(given, nullptr, 10);
}

void run_rounds(bool in_checkpoint) {
  const std::uint64_t seed = seed_of_this_run();
  SCOPED_TRACE("ROLLUP_SEED=" + std::to_string(seed) + " draws the same again");
  std::mt19937_64 random(seed);
  const TemporaryDirectory directory;
  std::int64_t acknowledged = 0;
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const std::int64_t acks = static_cast<std::int64_t>(random() % 200);
    const std::int64_t last =
        run_and_kill(directory.path(), random(), acks, in_checkpoint, random() % 1500);
    acknowledged = std::max(acknowledged, last);
    const auto history = open_history(directory.path());
    ASSERT_TRUE(history);
    const Turns turns = restore(*history);
    // One turn more than acknowledged: committed, and killed before it could be said.
    ASSERT_GE(turns.count, acknowledged);
    ASSERT_LE(turns.count, acknowledged + 1);
    acknowledged = turns.count;
    if (testing::Test::HasFailure()) {
      return;
    }
  }
  EXPECT_GT(acknowledged, 200);
}

// docs/OPERATIONS.md: what was acknowledged is not lost and not counted twice.
TEST(CrashTest, EveryAcknowledgedTurnSurvivesAKillAtAnyMoment) { run_rounds(false); }

TEST(CrashTest, AKillInACheckpointLeavesTheOldOrTheNewOneAsAWhole) { run_rounds(true); }

}  // namespace
}  // namespace rollup::history
