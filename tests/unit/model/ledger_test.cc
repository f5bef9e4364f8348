#include "model/ledger.h"

#include <gtest/gtest.h>

namespace rollup {
namespace {

TEST(LedgerTest, ReceivedIsAcceptedAndDroppedOfValues) {  // SEMANTICS 9
  Ledger ledger(1);
  ledger.accept(0);
  ledger.drop(0, DropReason::not_json, "a", 3);
  ledger.drop(0, DropReason::topic_collision, "b");
  ledger.drop(std::nullopt, DropReason::queue_full, "c", 1'000'000'000);
  ledger.drop(std::nullopt, DropReason::queue_full, "d", 0);
  EXPECT_EQ(ledger.stream(0).received, 4U);
  EXPECT_EQ(ledger.stream(0).accepted, 1U);
  EXPECT_EQ(ledger.stream(0).of(DropReason::not_json), 3U);
  EXPECT_EQ(ledger.stream(0).of(DropReason::topic_collision), 1U);
  EXPECT_EQ(ledger.unrouted().received, 1'000'000'000U);
  EXPECT_EQ(ledger.unrouted().examples[static_cast<std::size_t>(DropReason::queue_full)], "c");
}

TEST(LedgerTest, OfALongTopicTheFirstKiBIsKept) {
  Ledger ledger(1);
  std::string topic = "a";
  while (topic.size() < 60'000) {
    topic += "ü";
  }
  ledger.drop(0, DropReason::bad_topic, topic);
  const std::string& example =
      ledger.stream(0).examples[static_cast<std::size_t>(DropReason::bad_topic)];
  EXPECT_EQ(example, topic.substr(0, 1023)) << "no character is cut in two";
}

TEST(LedgerTest, EachLimitIsToldOnceForEachThingThatItActsOn) {
  Ledger ledger(1);
  ledger.notice(DropReason::too_many_series, "stream a", "x");
  ledger.notice(DropReason::too_many_series, "stream a", "y");
  ledger.notice(DropReason::too_many_series, "stream b", "z");
  EXPECT_EQ(ledger.take_notices(),
            (std::vector<LimitNotice>{{DropReason::too_many_series, "stream a", "x"},
                                      {DropReason::too_many_series, "stream b", "z"}}));
  EXPECT_TRUE(ledger.take_notices().empty());
}

TEST(LedgerTest, ValuesAreForgottenAndGoOnButWhatIsRefusedIsOfItsOwnPlan) {
  Ledger before(2);
  before.accept(1);
  before.drop(1, DropReason::future, "a");
  before.drop(1, DropReason::alerts_per_rule, "b");
  before.drop(std::nullopt, DropReason::bad_topic, "c");
  Ledger now(1);
  now.drop(0, DropReason::alerts_per_rule, "d", 7);
  now.continue_from(before, {{0, 1}});
  EXPECT_EQ(now.stream(0).received, 2U);
  EXPECT_EQ(now.stream(0).of(DropReason::alerts_per_rule), 7U);
  EXPECT_EQ(now.unrouted().received, 1U);
  now.clear_values();
  EXPECT_EQ(now.stream(0).received, 0U);
  EXPECT_EQ(now.stream(0).of(DropReason::future), 0U);
  EXPECT_EQ(now.stream(0).of(DropReason::alerts_per_rule), 7U);
  EXPECT_EQ(now.unrouted().received, 0U);
}

}  // namespace
}  // namespace rollup
