#include "mqtt/outbox.h"

#include <gtest/gtest.h>

namespace rollup::mqtt {
namespace {

using std::chrono::seconds;
constexpr Outbox::Clock::time_point kStart{};

Publication retained(const std::string& topic, const std::string& payload) {
  return {topic, payload, 1, true, std::nullopt, {}};
}

Publication loose(const std::string& topic, const std::string& payload) {
  return {topic, payload, 1, false, std::nullopt, {}};
}

std::string take_all(Outbox& outbox, Outbox::Clock::time_point now = kStart) {
  std::string text;
  while (const auto message = outbox.take(now)) {
    text += message->topic + "=" + message->payload + " ";
  }
  return text;
}

// SEMANTICS 8.5.
TEST(OutboxTest, RetainedIsKeptOncePerTopicTheNewestInThePlaceOfTheFirst) {
  Outbox outbox(10);
  outbox.put(retained("a", "1"), kStart);
  outbox.put(retained("b", "1"), kStart);
  outbox.put(retained("a", "2"), kStart);
  EXPECT_EQ(outbox.size(), 2U);
  EXPECT_EQ(take_all(outbox), "a=2 b=1 ");
  outbox.put(retained("a", "3"), kStart);
  EXPECT_EQ(take_all(outbox), "a=3 ");
  EXPECT_EQ(outbox.dropped(), 0U);
}

TEST(OutboxTest, LooseMessagesAreAllKeptUpToTheBoundThenTheOldestIsDropped) {
  Outbox outbox(2);
  outbox.put(loose("a", "1"), kStart);
  outbox.put(loose("a", "2"), kStart);
  outbox.put(loose("a", "3"), kStart);
  EXPECT_EQ(outbox.dropped(), 1U);
  EXPECT_EQ(take_all(outbox), "a=2 a=3 ");
}

TEST(OutboxTest, BothKindsComeOutInTheOrderOfArrival) {
  Outbox outbox(10);
  outbox.put(loose("a", "1"), kStart);
  outbox.put(retained("b", "2"), kStart);
  outbox.put(loose("c", "3"), kStart);
  outbox.put(retained("d", "4"), kStart);
  EXPECT_EQ(take_all(outbox), "a=1 b=2 c=3 d=4 ");
}

TEST(OutboxTest, ExpiryGoesOnWhileAMessageWaits) {
  Outbox outbox(10);
  Publication message = retained("a", "1");
  message.expiry_s = 60;
  outbox.put(message, kStart);
  EXPECT_EQ(outbox.take(kStart + seconds(20))->expiry_s, 40U);
  outbox.put(message, kStart);
  EXPECT_FALSE(outbox.take(kStart + seconds(60)).has_value());
  EXPECT_EQ(outbox.dropped(), 1U);
  // A newer one has its own time.
  outbox.put(message, kStart);
  outbox.put(message, kStart + seconds(50));
  EXPECT_EQ(outbox.take(kStart + seconds(70))->expiry_s, 40U);
}

TEST(OutboxTest, WhatIsPutBackGivesWayToANewerOne) {
  Outbox outbox(10);
  outbox.put(retained("a", "new"), kStart);
  outbox.put_back(retained("a", "old"), kStart);
  outbox.put_back(retained("b", "old"), kStart);
  outbox.put_back(loose("c", "old"), kStart);
  EXPECT_EQ(outbox.dropped(), 1U);
  EXPECT_EQ(take_all(outbox), "a=new b=old ");
}

TEST(OutboxDeathTest, EmptyPayloadIsAProgrammersMistake) {
  Outbox outbox(10);
  EXPECT_DEATH(outbox.put(retained("a", ""), kStart), "payload");
}

}  // namespace
}  // namespace rollup::mqtt
