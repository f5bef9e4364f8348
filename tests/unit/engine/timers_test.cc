#include "engine/timers.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace rollup::engine {
namespace {

constexpr auto kAlert = Timers::Kind::alert;

// Everything that is due by `now`, as the engine takes it.
std::vector<std::uint32_t> due_by(Timers& timers, std::vector<Due>& dues, Duration now) {
  std::vector<std::uint32_t> called;
  while (timers.next() <= now) {
    const Timers::Entry entry = timers.pop();
    if (timers.accept(dues[entry.owner], entry)) {
      called.push_back(entry.owner);
    }
  }
  return called;
}

TEST(TimersTest, CallInOrderOfTimeThenOfOwner) {
  Timers timers;
  std::vector<Due> dues(3);
  timers.set(dues[2], Duration{5}, kAlert, 2);
  timers.set(dues[1], Duration{7}, kAlert, 1);
  timers.set(dues[0], Duration{5}, kAlert, 0);
  EXPECT_EQ(timers.next(), Duration{5});
  EXPECT_EQ(due_by(timers, dues, Duration{4}), std::vector<std::uint32_t>{});
  EXPECT_EQ(due_by(timers, dues, Duration{7}), (std::vector<std::uint32_t>{0, 2, 1}));
  EXPECT_TRUE(timers.empty());
  EXPECT_EQ(timers.next(), kNever);
}

TEST(TimersTest, ATimeThatMovedLaterIsLookedAtAgain) {
  Timers timers;
  std::vector<Due> dues(1);
  timers.set(dues[0], Duration{5}, kAlert, 0);
  timers.set(dues[0], Duration{9}, kAlert, 0);
  EXPECT_EQ(timers.next(), Duration{5});
  EXPECT_TRUE(due_by(timers, dues, Duration{8}).empty());
  EXPECT_EQ(timers.next(), Duration{9});
  EXPECT_EQ(due_by(timers, dues, Duration{9}).size(), 1U);
}

TEST(TimersTest, ATimeThatMovedEarlierTakesThePlaceOfTheOther) {
  Timers timers;
  std::vector<Due> dues(1);
  timers.set(dues[0], Duration{9}, kAlert, 0);
  timers.set(dues[0], Duration{5}, kAlert, 0);
  EXPECT_EQ(due_by(timers, dues, Duration{100}).size(), 1U);
  EXPECT_TRUE(timers.empty());
}

TEST(TimersTest, NeverIsNeverCalled) {
  Timers timers;
  std::vector<Due> dues(1);
  timers.set(dues[0], kNever, kAlert, 0);
  EXPECT_TRUE(timers.empty());
  timers.set(dues[0], Duration{5}, kAlert, 0);
  timers.set(dues[0], kNever, kAlert, 0);
  EXPECT_TRUE(due_by(timers, dues, Duration{100}).empty());
  EXPECT_TRUE(timers.empty());
}

// A far time and near ones in turn, as an output with a heartbeat and a min_interval sets them.
TEST(TimersTest, OneOwnerHasOneEntryHoweverItsTimesMove) {
  Timers timers;
  std::vector<Due> dues(1);
  for (std::int64_t now = 0; now < 10'000; now += 10) {
    timers.set(dues[0], Duration{now + 3'600'000}, kAlert, 0);
    timers.set(dues[0], Duration{now + 5}, kAlert, 0);
    EXPECT_EQ(due_by(timers, dues, Duration{now + 9}).size(), 1U);
  }
  EXPECT_TRUE(timers.empty());
}

TEST(TimersTest, RandomMovesAreCalledAtTheirTime) {
  std::mt19937 random(11);
  Timers timers;
  std::vector<Due> dues(5);
  std::vector<Duration> wanted(dues.size(), kNever);
  for (std::int64_t now = 0; now < 5000; ++now) {
    const auto owner = static_cast<std::uint32_t>(random() % dues.size());
    const auto ahead = static_cast<std::int64_t>(1 + random() % 40);
    wanted[owner] = random() % 9 == 0 ? kNever : Duration{now + ahead};
    timers.set(dues[owner], wanted[owner], kAlert, owner);
    std::vector<std::uint32_t> expected;
    for (std::uint32_t each = 0; each < dues.size(); ++each) {
      if (wanted[each] <= Duration{now}) {
        expected.push_back(each);
        wanted[each] = kNever;
      }
    }
    ASSERT_EQ(due_by(timers, dues, Duration{now}), expected) << now;
  }
}

}  // namespace
}  // namespace rollup::engine
