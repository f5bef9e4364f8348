#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mqtt/redeliveries.h"
#include "support/mqtt_peer.h"
#include "unit/mqtt/linked.h"

namespace rollup::mqtt {
namespace {

using rollup::testing::MqttPeer;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class ClientReconnectTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Protocol, ClientReconnectTest, ::testing::Values(4, 5));

TEST_P(ClientReconnectTest, BrokerThatComesBackIsSubscribedToAgain) {
  MosquittoBroker broker;
  Linked linked(options_for(broker, GetParam()), {wish(0, "t")});
  ASSERT_TRUE(linked.wait_until_ready());
  const Time since = linked.client().status().since;
  broker.stop();
  ASSERT_TRUE(linked.wait([&] { return linked.client().status().state != LinkState::connected; }));
  EXPECT_NE(linked.client().status().last_error, "");
  broker.start();
  ASSERT_TRUE(linked.wait_for_state(LinkState::connected));
  ASSERT_TRUE(linked.wait_until_ready());
  EXPECT_GE(linked.client().status().since, since);
  // The other process knows nothing of the session.
  EXPECT_THAT(linked.client().status().last_error, HasSubstr("has forgotten the session"));
  EXPECT_EQ(linked.client().status().sessions_lost, 1U);
  EXPECT_THAT(linked.log(), HasSubstr("has forgotten the session"));
  MqttPeer peer(broker.host(), broker.port(), "peer");
  peer.publish("t", "after");
  EXPECT_EQ(linked.next_payload(), "after");
}

// SEMANTICS 8.5.
TEST_P(ClientReconnectTest, NewestRetainedMessagePerTopicIsSentWhenTheBrokerIsBack) {
  MosquittoBroker broker;
  Options options = options_for(broker, GetParam());
  options.loose_max = 2;
  Linked linked(options);
  ASSERT_TRUE(linked.wait_until_published(1));
  broker.stop();
  ASSERT_TRUE(linked.wait([&] { return linked.client().status().state != LinkState::connected; }));
  for (int i = 0; i < 100; ++i) {
    linked.client().publish({"a", std::to_string(i), 1, true, std::nullopt, {}});
    linked.client().publish({"b", std::to_string(i), 0, true, std::nullopt, {}});
    linked.client().publish({"c", std::to_string(i), 1, false, std::nullopt, {}});
  }
  EXPECT_EQ(linked.client().status().queued, 4U);
  EXPECT_EQ(linked.client().status().unpublished, 98U);
  broker.start();
  ASSERT_TRUE(linked.wait_until_published(6));
  MqttPeer peer(broker.host(), broker.port(), "peer");
  peer.subscribe("+");
  std::vector<std::string> seen;
  for (int i = 0; i < 2; ++i) {
    const auto message = peer.next();
    ASSERT_TRUE(message.has_value());
    seen.push_back(message->topic + "=" + message->payload);
  }
  EXPECT_THAT(seen, UnorderedElementsAre("a=99", "b=99"));
}

TEST_P(ClientReconnectTest, SessionKeepsWhatIsPublishedWhileWeAreAway) {
  MosquittoBroker broker;
  MqttPeer peer(broker.host(), broker.port(), "peer");
  {
    Linked linked(options_for(broker, GetParam()), {wish(0, "t")});
    ASSERT_TRUE(linked.wait_until_ready());
  }
  peer.publish("t", "1");
  peer.publish("t", "2");
  Linked linked(options_for(broker, GetParam()), {wish(0, "t")});
  EXPECT_EQ(linked.next_payload(), "1");
  EXPECT_EQ(linked.next_payload(), "2");
  EXPECT_THAT(linked.log(), HasSubstr("session resumed"));
  EXPECT_EQ(linked.client().status().sessions_lost, 0U);
}

// An engine that cannot append.
TEST_P(ClientReconnectTest, NothingIsAcknowledgedBeforeItIsAppended) {
  MosquittoBroker broker;
  MqttPeer peer(broker.host(), broker.port(), "peer");
  {
    Options options = options_for(broker, GetParam());
    options.farewell_max = Duration(200);
    Linked linked(options, {wish(0, "t")});
    ASSERT_TRUE(linked.wait_until_ready());
    linked.set_appending(false);
    peer.publish("t", "1");
    EXPECT_EQ(linked.next_payload(), "1");
    peer.publish("t", "2");
  }
  Linked linked(options_for(broker, GetParam()), {wish(0, "t")});
  EXPECT_EQ(linked.next_payload(), "1");
  EXPECT_EQ(linked.next_payload(), "2");
  EXPECT_EQ(linked.client().status().redelivered, 0U);
}

TEST_P(ClientReconnectTest, WhatWasAppendedAndComesAgainIsRecognised) {
  MosquittoBroker broker;
  MqttPeer peer(broker.host(), broker.port(), "peer");
  Deliveries taken;
  {
    Options options = options_for(broker, GetParam());
    options.farewell_max = Duration(200);
    Linked linked(options, {wish(0, "t")});
    ASSERT_TRUE(linked.wait_until_ready());
    linked.set_appending(false);
    peer.publish("t", "1");
    const auto message = linked.next();
    ASSERT_TRUE(message.has_value());
    taken.push_back(message->delivery);
  }
  peer.publish("t", "1");
  Linked linked(options_for(broker, GetParam()), {wish(0, "t")}, {}, taken);
  peer.publish("t", "3");
  EXPECT_EQ(linked.next_payload(), "1");  // the later one, which is no redelivery
  EXPECT_EQ(linked.next_payload(), "3");
  EXPECT_EQ(linked.client().status().redelivered, 1U);
}

// A link that can write nothing leaves the connection before the broker ends it, and comes back to
// its session when it can.
TEST_P(ClientReconnectTest, ALinkThatMayNotAcknowledgeLeavesInTimeAndLosesNothing) {
  MosquittoBroker broker;
  Options options = options_for(broker, GetParam());
  options.broker.keepalive = Duration(5000);
  Linked linked(options, {wish(0, "t")});
  ASSERT_TRUE(linked.wait_until_ready());
  linked.set_appending(false);
  MqttPeer peer(broker.host(), broker.port(), "peer");
  peer.publish("t", "1");
  EXPECT_EQ(linked.next_payload(), "1");
  ASSERT_TRUE(linked.wait_for_state(LinkState::down));
  EXPECT_THAT(linked.client().status().last_error, HasSubstr("cannot be stored"));
  peer.publish("t", "2");
  linked.append();
  ASSERT_TRUE(linked.wait_until_ready());
  EXPECT_EQ(linked.next_payload(), "2");
  EXPECT_EQ(linked.client().status().redelivered, 1U);
  EXPECT_EQ(linked.client().status().sessions_lost, 0U);
}

// More than the broker may have open at a time, in both directions at once.
TEST_P(ClientReconnectTest, ABacklogComesWholeAndInOrder) {
  MosquittoBroker broker({.lines = "max_queued_messages 0\nmax_inflight_messages 0\n"});
  MqttPeer peer(broker.host(), broker.port(), "peer");
  {
    Linked linked(options_for(broker, GetParam()), {wish(0, "t")});
    ASSERT_TRUE(linked.wait_until_ready());
  }
  std::vector<std::string> payloads;
  for (int i = 0; i < 3 * kOpenMax; ++i) {
    payloads.push_back(std::to_string(i));
  }
  peer.publish_many("t", payloads, 1);
  Linked linked(options_for(broker, GetParam()), {wish(0, "t")});
  for (const std::string& payload : payloads) {
    ASSERT_EQ(linked.next_payload(), payload);
    linked.client().publish({"stats/" + payload, payload, 1, true, std::nullopt, {}});
  }
  EXPECT_TRUE(linked.wait([&] { return linked.client().status().queued == 0; }));
}

// What the broker had not acknowledged when it hung is sent again to the one that comes after it.
TEST_P(ClientReconnectTest, UnacknowledgedPublicationsAreSentAgain) {
  MosquittoBroker broker;
  Linked linked(options_for(broker, GetParam()));
  ASSERT_TRUE(linked.wait_until_published(1));
  broker.freeze();
  for (int i = 0; i < 200; ++i) {
    linked.client().publish({"a/" + std::to_string(i), "1", 1, true, std::nullopt, {}});
  }
  EXPECT_EQ(linked.client().status().queued, 200U);
  broker.kill();
  broker.start();
  ASSERT_TRUE(linked.wait([&] {
    const Status status = linked.client().status();
    return status.state == LinkState::connected && status.queued == 0;
  }));
  MqttPeer peer(broker.host(), broker.port(), "peer");
  peer.subscribe("a/#");
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(peer.next().has_value()) << i;
  }
}

}  // namespace
}  // namespace rollup::mqtt
