#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/mqtt_peer.h"
#include "unit/mqtt/linked.h"

namespace rollup::mqtt {
namespace {

using rollup::testing::MqttPeer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class ClientReceiveTest : public ::testing::TestWithParam<int> {
 protected:
  MosquittoBroker broker_;
};
INSTANTIATE_TEST_SUITE_P(Protocol, ClientReceiveTest, ::testing::Values(4, 5));

TEST_P(ClientReceiveTest, MessageArrivesWithTopicPayloadBrokerAndTime) {
  Options options = options_for(broker_, GetParam());
  options.link = 7;
  Linked linked(options, {wish(0, "home/{room}/temperature")});
  ASSERT_TRUE(linked.wait_until_ready());
  const auto wall_now = [] {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  };
  const Time before = wall_now();
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  for (const int qos : {0, 1, 2}) {
    peer.publish("home/kitchen/temperature", "21." + std::to_string(qos), qos);
    const auto message = linked.next();
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->topic, "home/kitchen/temperature");
    EXPECT_EQ(message->payload, "21." + std::to_string(qos));
    EXPECT_EQ(message->link, 7U);
    EXPECT_FALSE(message->retained);
    EXPECT_GE(message->arrival, before);
    EXPECT_LE(message->arrival, wall_now());
  }
  EXPECT_EQ(linked.client().status().received, 3U);
}

TEST_P(ClientReceiveTest, PayloadMayBeEmptyOrBinary) {
  Linked linked(options_for(broker_, GetParam()), {wish(0, "t")});
  ASSERT_TRUE(linked.wait_until_ready());
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  const std::string binary("\0\xff\x01\0", 4);
  peer.publish("t", "");
  peer.publish("t", binary);
  EXPECT_EQ(linked.next_payload(), "");
  EXPECT_EQ(linked.next_payload(), binary);
}

TEST_P(ClientReceiveTest, PayloadOverTheLimitIsCutToOneByteMore) {
  Options options = options_for(broker_, GetParam());
  options.payload_max = 100;
  Linked linked(options, {wish(0, "t")});
  ASSERT_TRUE(linked.wait_until_ready());
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  peer.publish("t", std::string(100'000, 'x'));
  peer.publish("t", std::string(100, 'x'));
  EXPECT_EQ(linked.next_payload().size(), 101U);
  EXPECT_EQ(linked.next_payload().size(), 100U);
}

// SEMANTICS 1.7.
TEST_P(ClientReceiveTest, RetainedFlagTellsACopyFromANewMessage) {
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  peer.publish("t", "old", 1, true);
  Linked linked(options_for(broker_, GetParam()), {wish(0, "t")});
  const auto copy = linked.next();
  ASSERT_TRUE(copy.has_value());
  EXPECT_TRUE(copy->retained);
  peer.publish("t", "new", 1, true);
  const auto live = linked.next();
  ASSERT_TRUE(live.has_value());
  EXPECT_EQ(live->payload, "new");
  EXPECT_FALSE(live->retained);
}

TEST_P(ClientReceiveTest, ReloadSubscribesToNewFiltersAndLeavesOldOnes) {
  Linked linked(options_for(broker_, GetParam()), {wish(0, "a"), wish(1, "b")});
  ASSERT_TRUE(linked.wait_until_ready());
  linked.client().update_filters({wish(0, "b"), wish(1, "c")});
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  // The broker takes our requests in order: once `c` works, `a` is gone.
  peer.publish("c", "probe", 1, true);
  EXPECT_EQ(linked.next_payload(), "probe");
  peer.publish("a", "from a");
  peer.publish("b", "from b");
  const auto message = linked.next();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->payload, "from b");
  if (GetParam() == 5) {
    EXPECT_THAT(message->subscriptions, ElementsAre(1U));
  }
}

TEST_P(ClientReceiveTest, FullInboxHoldsTheBrokerBackAndLosesNothingOfQosOne) {
  MosquittoBroker patient({.lines = "max_queued_messages 0\n"});
  Linked linked(options_for(patient, GetParam()), {wish(0, "t")}, {.messages = 3});
  ASSERT_TRUE(linked.wait_until_ready());
  MqttPeer peer(patient.host(), patient.port(), "peer");
  std::vector<std::string> payloads;
  for (int i = 0; i < 2000; ++i) {
    payloads.push_back(std::to_string(i));
  }
  peer.publish_many("t", payloads, 1);
  // The link's thread waits for room by now, and still publishing does not wait for it.
  for (int i = 0; i < 200; ++i) {
    linked.client().publish(
        {"stats/" + std::to_string(i), "21.5", 1, true, std::nullopt, "text/plain"});
  }
  for (const std::string& payload : payloads) {
    ASSERT_EQ(linked.next_payload(), payload);
    if (payload.ends_with("00")) {
      linked.client().publish({"stats/more", payload, 1, false, std::nullopt, {}});
    }
  }
  EXPECT_EQ(linked.inbox().counts().dropped, 0U);
  EXPECT_TRUE(linked.wait([&] { return linked.client().status().queued == 0; }));
  EXPECT_GE(linked.client().status().published, 200U);
}

class ClientIdentifierTest : public ::testing::Test {
 protected:
  MosquittoBroker broker_;
};

TEST_F(ClientIdentifierTest, OverlappingFiltersAreToldApart) {
  Linked linked(options_for(broker_), {wish(0, "home/{room}/temperature"), wish(1, "home/#")});
  ASSERT_TRUE(linked.wait_until_ready());
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  peer.publish("home/kitchen/temperature", "21.5");
  peer.publish("home/end", "end");
  // A broker may send one message for both or one for each.
  std::vector<std::uint32_t> streams;
  for (auto message = linked.next(); message && message->payload != "end";
       message = linked.next()) {
    streams.insert(streams.end(), message->subscriptions.begin(), message->subscriptions.end());
  }
  EXPECT_THAT(streams, UnorderedElementsAre(1U, 2U));
}

TEST_F(ClientIdentifierTest, StreamsWithOneFilterShareTheMessage) {
  Linked linked(options_for(broker_), {wish(0, "home/{room}"), wish(1, "home/{place}")});
  ASSERT_TRUE(linked.wait_until_ready());
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  peer.publish("home/kitchen", "21.5");
  peer.publish("home/end", "end");
  const auto message = linked.next();
  ASSERT_TRUE(message.has_value());
  EXPECT_THAT(message->subscriptions, UnorderedElementsAre(1U, 2U));
  EXPECT_EQ(linked.next_payload(), "end");
}

TEST_F(ClientIdentifierTest, CoveringFilterAloneIsAskedForWithoutIdentifiers) {
  Linked linked(options_for(broker_, 4), {wish(0, "home/{room}/temperature"), wish(1, "home/#")});
  ASSERT_TRUE(linked.wait_until_ready());
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  peer.publish("home/kitchen/temperature", "21.5");
  peer.publish("home/end", "end");
  const auto message = linked.next();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->payload, "21.5");
  EXPECT_THAT(message->subscriptions, IsEmpty());
  EXPECT_EQ(linked.next_payload(), "end");
}

TEST_F(ClientIdentifierTest, OwnPublicationsDoNotComeBack) {
  Options options = options_for(broker_);
  options.status_topic = "";
  Linked linked(options, {wish(0, "#")});
  ASSERT_TRUE(linked.wait_until_ready());
  linked.client().publish({"t", "mine", 1, false, std::nullopt, {}});
  ASSERT_TRUE(linked.wait_until_published(1));
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  peer.publish("t", "theirs");
  EXPECT_EQ(linked.next_payload(), "theirs");
}

TEST_F(ClientIdentifierTest, MessagesForAFilterOfAnOlderConfigurationAreCountedOnly) {
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  {
    Linked older(options_for(broker_), {wish(0, "old"), wish(1, "kept")});
    ASSERT_TRUE(older.wait_until_ready());
  }
  peer.publish("old", "1");
  peer.publish("kept", "2");
  Linked newer(options_for(broker_), {wish(0, "kept")});
  const auto message = newer.next();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->payload, "2");
  EXPECT_THAT(message->subscriptions, ElementsAre(1U));
  EXPECT_EQ(newer.client().status().unwanted, 1U);
}

}  // namespace
}  // namespace rollup::mqtt
