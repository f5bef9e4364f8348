#include "engine/layout.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "engine/rows.h"

namespace rollup::engine {
namespace {

const Time kStart = time_from_ms(1'800'000'000'000);

TEST(LayoutTest, ARowOfAnyPartsKnowsWhatAnAggregateOfThemKnows) {
  std::mt19937_64 random(7);
  for (Parts parts = 0; parts <= kAllParts; ++parts) {
    const Layout layout(parts);
    std::vector<std::byte> row(layout.size());
    layout.clear(row.data());
    Aggregate expected(parts | kPresence);
    EXPECT_TRUE(layout.is_empty(row.data()));
    for (int i = 0; i < 50; ++i) {
      const double value = static_cast<double>(random() % 1000) / 10 - 50;
      const Duration since_start{static_cast<std::int64_t>(random() % 3'600'000)};
      if (random() % 2 == 0) {
        layout.add_sample(row.data(), since_start, value);
        expected.add_sample(kStart + since_start, value);
        layout.add_increase(row.data(), {std::abs(value), random() % 2});
        if (has_all(parts, kIncrease)) {
          expected.add_increase(
              {std::abs(value), layout.load(row.data(), kStart).resets - expected.resets});
        }
      } else {
        layout.add_held(row.data(), value, since_start + Duration{1});
        expected.add_held(value, since_start + Duration{1});
      }
      EXPECT_EQ(layout.load(row.data(), kStart), expected) << parts;
    }
    std::vector<std::byte> copy(layout.size());
    layout.store(copy.data(), expected, kStart);
    EXPECT_EQ(layout.load(copy.data(), kStart), expected) << parts;
  }
}

TEST(LayoutTest, ARowPaysForItsPartsOnly) {
  EXPECT_EQ(Layout(kPresence).size(), 8U);
  EXPECT_EQ(Layout(kPresence | kHeld).size(), 16U);
  EXPECT_EQ(Layout(kGaugeParts).size(), 72U);
  EXPECT_EQ(Layout(kCounterParts).size(), 24U);
}

TEST(LayoutTest, TheLongestRowHoldsItsTimesAndWhatItKnows) {
  const Layout layout(kGaugeParts);
  std::vector<std::byte> row(layout.size());
  layout.clear(row.data());
  layout.add_held(row.data(), 1, kRowSpanMax);
  layout.add_sample(row.data(), kRowSpanMax - Duration{1}, 1);
  const Aggregate known = layout.load(row.data(), kStart);
  EXPECT_EQ(known.known, kRowSpanMax);
  EXPECT_EQ(known.last_time, kStart + kRowSpanMax - Duration{1});
}

TEST(RowsTest, RowsAscendAndAreFoundByTheirTime) {
  const Grid grid{Layout(kGaugeParts), Duration{1000}};
  Rows rows(grid);
  for (const int second : {0, 1, 4, 9}) {
    rows.set_rev(rows.at(kStart + Duration{second * 1000 + 300}), 1);
  }
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows.start(2), kStart + Duration{4000});
  EXPECT_EQ(rows.lower_bound(kStart + Duration{1001}), 2U);
  Rows tail = rows.split(3);
  EXPECT_EQ(tail.start(0), kStart + Duration{9000});
  EXPECT_EQ(tail.rev(0), 1U);
  rows.erase_first(1);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows.start(0), kStart + Duration{1000});
}

}  // namespace
}  // namespace rollup::engine
