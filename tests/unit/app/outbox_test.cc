#include "app/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rollup::app {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

port::Notification notification(const std::string& id) {
  return {.id = id,
          .alert = "too_warm",
          .series = "home/a",
          .topic = "home/a",
          .is_alarm = false,
          .to = {"alice@example.org", "bob@example.org"},
          .body = "es war 9,2 °C",
          .replaces = "id-0",
          .is_fresh = true,
          .at = time_from_ms(1'775'304'180'000)};
}

TEST(OutboxTest, WhatWasKeptIsTheSameAgainAndNoIdIsUsedTwice) {
  Outbox outbox;
  outbox.add(notification("first"));
  const std::uint64_t second = outbox.add(notification("second"));
  const std::uint64_t third = outbox.add(notification("third"));
  outbox.remove(third);

  Outbox again;
  ASSERT_TRUE(again.restore(outbox.save()));
  again.remove(1);
  EXPECT_THAT(again.all(), ElementsAre(Pair(second, notification("second"))));
  EXPECT_GT(again.add(notification("fourth")), third);
}

TEST(OutboxTest, BytesThatAreNoneOfItsAreAnError) {
  Outbox outbox;
  EXPECT_FALSE(outbox.restore("\xff\xff\xff"));
}

}  // namespace
}  // namespace rollup::app
