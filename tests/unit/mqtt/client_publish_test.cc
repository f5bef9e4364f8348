#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/mqtt_peer.h"
#include "unit/mqtt/linked.h"

namespace rollup::mqtt {
namespace {

using rollup::testing::MqttPeer;
using rollup::testing::PeerMessage;
using ::testing::HasSubstr;
using ::testing::Not;

class ClientPublishTest : public ::testing::TestWithParam<int> {
 protected:
  MosquittoBroker broker_;
};
INSTANTIATE_TEST_SUITE_P(Protocol, ClientPublishTest, ::testing::Values(4, 5));

TEST_P(ClientPublishTest, MessageIsSentAsAskedWithoutUserProperties) {
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  peer.subscribe("stats/#", 2);
  Linked linked(options_for(broker_, GetParam()));
  for (const int qos : {0, 1, 2}) {
    linked.client().publish({"stats/a", R"({"value":21.5})", qos, false, 90, "application/json"});
    const auto message = peer.next();
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->topic, "stats/a");
    EXPECT_EQ(message->payload, R"({"value":21.5})");
    EXPECT_EQ(message->qos, qos);
    EXPECT_FALSE(message->has_user_properties);
    if (GetParam() == 5) {
      EXPECT_EQ(message->content_type, "application/json");
      EXPECT_TRUE(message->is_text);
      ASSERT_TRUE(message->expiry_s.has_value());
      EXPECT_LE(*message->expiry_s, 90U);
      EXPECT_GE(*message->expiry_s, 85U);
    }
  }
  EXPECT_TRUE(linked.wait_until_published(4));  // with "online"
  EXPECT_EQ(linked.client().status().unpublished, 0U);
}

TEST_P(ClientPublishTest, RetainedMessageStaysAtTheBroker) {
  Linked linked(options_for(broker_, GetParam()));
  linked.client().publish({"stats/a", "21.5", 1, true, std::nullopt, "text/plain"});
  ASSERT_TRUE(linked.wait_until_published(2));
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  peer.subscribe("stats/#");
  const auto message = peer.next();
  ASSERT_TRUE(message.has_value());
  EXPECT_TRUE(message->retained);
}

TEST_P(ClientPublishTest, StatusIsOnlineWhileConnectedAndOfflineAfterAGoodbye) {
  MqttPeer peer(broker_.host(), broker_.port(), "peer");
  peer.subscribe("bots/status");
  Options options = options_for(broker_, GetParam());
  options.status_topic = "bots/status";
  Linked linked(options);
  EXPECT_EQ(peer.next()->payload, "online");
  // What waits is sent before.
  linked.client().publish({"stats/last", "1", 1, true, std::nullopt, {}});
  linked.client().stop();
  EXPECT_EQ(peer.next()->payload, "offline");
  MqttPeer later(broker_.host(), broker_.port(), "later");
  later.subscribe("#");
  std::vector<std::string> seen;
  for (int i = 0; i < 2; ++i) {
    const auto message = later.next();
    ASSERT_TRUE(message.has_value());
    EXPECT_TRUE(message->retained);
    seen.push_back(message->topic + "=" + message->payload);
  }
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre("bots/status=offline", "stats/last=1"));
}

TEST_P(ClientPublishTest, ManyMessagesArriveInOrder) {
  MosquittoBroker patient({.lines = "max_queued_messages 0\n"});
  MqttPeer peer(patient.host(), patient.port(), "peer");
  peer.subscribe("stats/#");
  Options options = options_for(patient, GetParam());
  options.loose_max = 5000;
  Linked linked(options);
  for (int i = 0; i < 3000; ++i) {
    linked.client().publish({"stats/a", std::to_string(i), 1, false, std::nullopt, {}});
  }
  for (int i = 0; i < 3000; ++i) {
    const auto message = peer.next();
    ASSERT_TRUE(message.has_value()) << i;
    ASSERT_EQ(message->payload, std::to_string(i));
  }
  EXPECT_TRUE(linked.wait_until_published(3001));
}

TEST(ClientPublishRefusalTest, RefusedPublicationIsCountedAndSaidOnce) {
  rollup::testing::TempDir dir;
  const std::string acl =
      dir.write("acl", "topic write rollup/#\ntopic read #\ntopic write allowed\n");
  MosquittoBroker broker({.lines = "acl_file " + acl + "\n"});
  Linked linked(options_for(broker));
  linked.client().publish({"denied", "secret-payload", 1, false, std::nullopt, {}});
  linked.client().publish({"denied", "secret-payload", 1, false, std::nullopt, {}});
  linked.client().publish({"wrong/#", "secret-payload", 1, false, std::nullopt, {}});
  linked.client().publish({"allowed", "1", 1, false, std::nullopt, {}});
  ASSERT_TRUE(linked.wait_until_published(2));
  EXPECT_EQ(linked.client().status().unpublished, 3U);
  EXPECT_THAT(linked.client().status().last_error, HasSubstr("refused"));
  const std::string log = linked.log();
  EXPECT_EQ(log.find("refused"), log.rfind("refused"));
  EXPECT_THAT(log, Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace rollup::mqtt
