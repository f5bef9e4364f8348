#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_EQ(linked.client().status().last_error, "");
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
