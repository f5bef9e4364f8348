#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/aggregate.h"
#include "model/bucket.h"
#include "model/drop_reason.h"
#include "model/series_key.h"

namespace rollup {
namespace {

TEST(DropReasonTest, ReasonsAreSpeltAsTheirCountersAre) {  // SEMANTICS 9
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    names.emplace_back(to_string(static_cast<DropReason>(i)));
  }
  EXPECT_EQ(names, (std::vector<std::string>{
                       "not_a_number", "not_json", "no_such_field", "bad_time", "future",
                       "too_late", "out_of_range", "too_large", "too_deep", "not_utf8",
                       "too_many_series", "too_many_new_series", "bad_topic", "queue_full",
                       "topic_collision", "bad_template", "alerts_per_rule"}));
  EXPECT_EQ(static_cast<std::size_t>(DropReason::alerts_per_rule) + 1, kDropReasonCount);
}

TEST(TierTest, TiersAreNamedFromFineToCoarse) {
  EXPECT_EQ(to_string(Tier::raw), "raw");
  EXPECT_EQ(to_string(Tier::fine), "fine");
  EXPECT_EQ(to_string(Tier::hour), "hour");
  EXPECT_EQ(to_string(Tier::day), "day");
}

TEST(StatisticTest, EveryNameReadsBack) {
  for (const StatisticRow& row : kStatistics) {
    EXPECT_EQ(parse_statistic(to_string(row.statistic)), row.statistic);
  }
  EXPECT_EQ(parse_statistic("median"), std::nullopt);
  EXPECT_EQ(parse_statistic("AVG"), std::nullopt);
  EXPECT_EQ(parse_statistic(""), std::nullopt);
}

TEST(SeriesKeyTest, ASeriesIsCalledByItsTopicAndField) {
  EXPECT_EQ((SeriesKey{"temperature", "ejabberd", "home/kitchen", ""}).name(), "home/kitchen");
  EXPECT_EQ((SeriesKey{"zigbee", "ejabberd", "zigbee/lamp", "power"}).name(), "zigbee/lamp/power");
}

}  // namespace
}  // namespace rollup
