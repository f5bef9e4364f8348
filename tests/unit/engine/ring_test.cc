#include "engine/ring.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace rollup::engine {
namespace {

const Grid kGrid{Layout(kGaugeParts), Duration{1000}};

Aggregate sample_at(std::int64_t ms, double value) {
  Aggregate aggregate;
  aggregate.add_sample(time_from_ms(ms), value);
  return aggregate;
}

std::vector<std::int64_t> starts(const Ring& ring, std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> found;
  ring.visit(time_from_ms(from), time_from_ms(to),
             [&](Time start, const Aggregate&) { found.push_back(to_ms(start)); });
  return found;
}

TEST(RingTest, EmptyRingHasNoSlots) {
  const Ring ring(kGrid, 4);
  EXPECT_TRUE(starts(ring, 0, 100'000).empty());
}

TEST(RingTest, MergesWhatFallsIntoOneSlot) {
  Ring ring(kGrid, 4);
  ring.add(time_from_ms(5000), sample_at(5000, 1));
  ring.add(time_from_ms(5500), sample_at(5500, 2));
  Aggregate total;
  ring.merge_into(total, time_from_ms(5000), time_from_ms(6000));
  EXPECT_EQ(total.count, 2U);
  EXPECT_EQ(total.sum, 3);
  EXPECT_EQ(total.last, 2);
}

TEST(RingTest, KeepsTheNewestSlotsOnly) {
  Ring ring(kGrid, 3);
  for (std::int64_t ms = 0; ms <= 5000; ms += 1000) {
    ring.add(time_from_ms(ms), sample_at(ms, 1));
  }
  EXPECT_EQ(starts(ring, 0, 100'000), (std::vector<std::int64_t>{3000, 4000, 5000}));
}

TEST(RingTest, AGapEmptiesTheSlotsItPasses) {
  Ring ring(kGrid, 3);
  for (std::int64_t ms = 0; ms <= 2000; ms += 1000) {
    ring.add(time_from_ms(ms), sample_at(ms, 1));
  }
  ring.add(time_from_ms(4000), sample_at(4000, 1));
  EXPECT_EQ(starts(ring, 0, 100'000), (std::vector<std::int64_t>{2000, 4000}));
  // Further than the whole length at once.
  ring.add(time_from_ms(50'000'000), sample_at(50'000'000, 1));
  EXPECT_EQ(starts(ring, 0, 100'000'000), (std::vector<std::int64_t>{50'000'000}));
}

TEST(RingTest, SlotsCountByTheirStart) {
  Ring ring(kGrid, 5);
  for (std::int64_t ms = 0; ms <= 4000; ms += 1000) {
    ring.add(time_from_ms(ms), sample_at(ms, 1));
  }
  EXPECT_EQ(starts(ring, 1000, 3000), (std::vector<std::int64_t>{1000, 2000}));
  EXPECT_EQ(starts(ring, 1001, 3001), (std::vector<std::int64_t>{2000, 3000}));
}

TEST(RingTest, KeepsWhatANaiveListKeeps) {
  std::mt19937 random(7);
  const auto below = [&](unsigned limit) { return static_cast<std::int64_t>(random() % limit); };
  for (int round = 0; round < 50; ++round) {
    const auto length = static_cast<std::uint32_t>(1 + random() % 9);
    Ring ring(kGrid, length);
    std::map<std::int64_t, std::uint64_t> naive;
    std::int64_t index = below(100);
    for (int i = 0; i < 100; ++i) {
      index += below(4) == 0 ? below(12) : below(2);
      ring.add(time_from_ms(index * 1000 + below(1000)), sample_at(index * 1000, 1));
      ++naive[index];
      naive.erase(naive.begin(), naive.lower_bound(index - length + 1));
      std::map<std::int64_t, std::uint64_t> kept;
      ring.visit(
          time_from_ms(0), time_from_ms(1'000'000'000),
          [&](Time start, const Aggregate& slot) { kept[to_ms(start) / 1000] = slot.count; });
      ASSERT_EQ(kept, naive);
    }
  }
}

}  // namespace
}  // namespace rollup::engine
