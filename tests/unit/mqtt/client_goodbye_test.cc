#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/mqtt_peer.h"
#include "unit/mqtt/linked.h"

namespace rollup::mqtt {
namespace {

using rollup::testing::MqttPeer;
using std::chrono::hours;

TEST(ClientGoodbyeTest, HangingBrokerDoesNotHoldUpTheEnd) {
  MosquittoBroker broker;
  Options options = options_for(broker);
  options.farewell_max = Duration(300);
  // Longer than ctest waits: this test ends only if the link ends by itself.
  options.stop_max = hours(1);
  Linked linked(options, {wish(0, "t")});
  ASSERT_TRUE(linked.wait_until_ready());
  broker.freeze();
  linked.client().publish({"a", "1", 1, true, std::nullopt, {}});
  linked.client().stop();
  broker.thaw();
  // It was not said in time, so the broker says it for us.
  MqttPeer peer(broker.host(), broker.port(), "peer");
  peer.subscribe("rollup/status");
  const auto is_offline = [&] {
    const auto message = peer.next();
    return message && message->payload == "offline";
  };
  EXPECT_TRUE(is_offline() || is_offline());
}

TEST(ClientGoodbyeTest, BrokerThatNeverAnswersDoesNotHoldUpTheEnd) {
  MosquittoBroker broker;
  broker.freeze();
  Options options = options_for(broker);
  options.stop_max = hours(1);
  Linked linked(options);
  ASSERT_TRUE(linked.wait_for_state(LinkState::connecting));
  linked.client().stop();
}

TEST(ClientGoodbyeTest, PauseBeforeTheNextTryEndsAtOnce) {
  MosquittoBroker broker;
  Options options = options_for(broker);
  options.backoff_first = hours(1);
  options.backoff_max = hours(1);
  options.stop_max = hours(1);
  broker.stop();
  Linked linked(options);
  ASSERT_TRUE(linked.wait_for_state(LinkState::down));
  linked.client().stop();
  linked.client().stop();
}

TEST(ClientGoodbyeTest, LinkThatWaitsForRoomEndsAndKeepsItsMessageOnly) {
  MosquittoBroker broker;
  Inbox inbox({.messages = 1});
  Options options = options_for(broker);
  options.farewell_max = Duration(300);
  Client client(options, inbox, {wish(0, "t")}, {});
  client.start();
  MqttPeer peer(broker.host(), broker.port(), "peer");
  // The first ones may come before the subscription.
  while (client.status().received < 2) {
    peer.publish("t", "more");
  }
  for (int i = 0; i < 10; ++i) {
    peer.publish("t", "more");
  }
  client.stop();
  std::vector<Message> messages;
  inbox.drain(messages);
  EXPECT_EQ(messages.size(), 2U);
  EXPECT_EQ(client.status().received, 2U);
  // Nobody has appended those two: the session has them, too.
  Linked next(options_for(broker), {wish(0, "t")});
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(next.next_payload(), "more");
  }
}

// The will: a process that is killed says nothing itself.
TEST(ClientGoodbyeTest, BrokerSaysOfflineForAProgramThatIsKilled) {
  MosquittoBroker broker;
  MqttPeer peer(broker.host(), broker.port(), "peer");
  peer.subscribe("rollup/status");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Linked linked(options_for(broker));
    linked.wait([] { return false; });
    _exit(0);
  }
  EXPECT_EQ(peer.next()->payload, "online");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  const auto message = peer.next();
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->payload, "offline");
}

}  // namespace
}  // namespace rollup::mqtt
