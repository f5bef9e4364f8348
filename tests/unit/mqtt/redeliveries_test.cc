#include "mqtt/redeliveries.h"

#include <gtest/gtest.h>

namespace rollup::mqtt {
namespace {

std::vector<Delivery> some(std::uint16_t count) {
  std::vector<Delivery> deliveries;
  for (std::uint32_t id = 1; id <= count; ++id) {
    deliveries.push_back({static_cast<std::uint16_t>(id), 1000U + id});
  }
  return deliveries;
}

TEST(RedeliveriesTest, WhatWasTakenBeforeIsRecognisedOnce) {
  Redeliveries redeliveries(some(3));
  redeliveries.connected(true);
  EXPECT_TRUE(redeliveries.is_again({2, 1002}, true));
  EXPECT_TRUE(redeliveries.is_again({3, 1003}, true));
  EXPECT_FALSE(redeliveries.is_again({3, 1003}, true));
}

TEST(RedeliveriesTest, AnotherIdentifierOrAnotherContentIsNew) {
  Redeliveries redeliveries(some(3));
  redeliveries.connected(true);
  EXPECT_FALSE(redeliveries.is_again({2, 1003}, true));
  EXPECT_FALSE(redeliveries.is_again({4, 1002}, true));
}

// A broker that gives the lowest free identifier, and a sensor that says the same each minute.
TEST(RedeliveriesTest, AnEqualValueWithoutDupIsNew) {
  Redeliveries redeliveries(some(1));
  redeliveries.connected(true);
  EXPECT_FALSE(redeliveries.is_again({1, 1001}, false));
}

TEST(RedeliveriesTest, ManyNewMessagesInARowEndTheComparison) {
  Redeliveries redeliveries(some(1));
  redeliveries.connected(true);
  for (std::uint16_t i = 0; i < kOpenMax; ++i) {
    EXPECT_TRUE(redeliveries.compares());
    EXPECT_FALSE(redeliveries.is_again({static_cast<std::uint16_t>(10 + i), 0}, false));
  }
  EXPECT_FALSE(redeliveries.compares());
  EXPECT_FALSE(redeliveries.is_again({1, 1001}, true));
}

TEST(RedeliveriesTest, ANewSessionBringsNothingAgain) {
  Redeliveries redeliveries(some(3));
  redeliveries.connected(false);
  EXPECT_FALSE(redeliveries.compares());
  EXPECT_FALSE(redeliveries.is_again({2, 1002}, true));
  redeliveries.connected(true);
  EXPECT_TRUE(redeliveries.is_again({2, 1002}, true));
  EXPECT_FALSE(redeliveries.is_again({3, 1003}, true));
}

// Mosquitto sends the whole backlog when it has one.
TEST(RedeliveriesTest, AsManyAreRecognisedAsThereAreIdentifiers) {
  constexpr std::uint16_t kAll = 65'535;
  Redeliveries redeliveries(some(kAll));
  redeliveries.connected(true);
  for (std::uint16_t id = 1; id < kAll; ++id) {
    ASSERT_TRUE(redeliveries.is_again({id, 1000U + id}, true));
  }
}

// Without DUP they cannot be told from new ones for so long.
TEST(RedeliveriesTest, WhereDupIsNotKnownOnlyTheFirstAreCompared) {
  Redeliveries redeliveries(some(2 * kOpenMax));
  redeliveries.connected(true);
  for (std::uint16_t id = 1; id <= kOpenMax; ++id) {
    ASSERT_TRUE(redeliveries.is_again({id, 1000U + id}, std::nullopt));
  }
  EXPECT_FALSE(redeliveries.is_again({kOpenMax + 1, 1001U + kOpenMax}, std::nullopt));
}

// Also those that came again must be known should the next connection break, too.
TEST(RedeliveriesTest, WhatCameAgainMayComeAgain) {
  Redeliveries redeliveries(some(2));
  for (int connection = 0; connection < 3; ++connection) {
    redeliveries.connected(true);
    EXPECT_TRUE(redeliveries.is_again({2, 1002}, true));
  }
}

}  // namespace
}  // namespace rollup::mqtt
