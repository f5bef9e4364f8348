#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>

#include "support/mqtt_peer.h"
#include "unit/mqtt/linked.h"

namespace rollup::mqtt {
namespace {

using rollup::testing::MqttPeer;
using rollup::testing::TempDir;
using ::testing::HasSubstr;
using ::testing::Not;

// The newest error, once there is one.
std::string error_of(Linked& linked) {
  linked.wait([&] { return !linked.client().status().last_error.empty(); });
  return linked.client().status().last_error;
}

TEST(ClientConnectTest, UnixSocketWorksAsAnAddress) {
  MosquittoBroker broker({.on_unix_socket = true});
  Linked linked(options_for(broker), {wish(0, "t")});
  ASSERT_TRUE(linked.wait_until_ready());
  MqttPeer peer(broker.host(), 0, "peer");
  peer.publish("t", "1");
  EXPECT_EQ(linked.next_payload(), "1");
}

TEST(ClientConnectTest, PortOfTheConfigurationIsNotUsedForAUnixSocket) {
  MosquittoBroker broker({.on_unix_socket = true});
  Options options = options_for(broker);
  options.broker.port = 1883;
  Linked linked(options);
  EXPECT_TRUE(linked.wait_until_ready());
}

TEST(ClientConnectTest, RefusedConnectionIsSaidOnce) {
  MosquittoBroker broker;
  const Options options = options_for(broker);
  broker.stop();
  Linked linked(options);
  EXPECT_THAT(error_of(linked),
              HasSubstr("connection refused by 127.0.0.1:" + std::to_string(options.broker.port)));
  broker.start();
  ASSERT_TRUE(linked.wait_until_ready());
  const std::string log = linked.log();
  EXPECT_EQ(log.find("refused"), log.rfind("refused"));
}

TEST(ClientConnectTest, MissingSocketAndUnknownHostAreNamed) {
  MosquittoBroker broker;
  Options options = options_for(broker);
  options.broker.host = broker.dir().file("no.sock");
  Linked no_socket(options);
  EXPECT_THAT(error_of(no_socket), HasSubstr("no socket at " + options.broker.host));
  options.broker.host = "no.such.host.invalid";
  Linked no_host(options);
  EXPECT_THAT(error_of(no_host), HasSubstr("cannot resolve no.such.host.invalid"));
}

TEST(ClientConnectTest, PasswordOpensTheDoorAndIsNeverTold) {
  TempDir dir;
  const std::string file = dir.write("passwords", "meter:hidden-password\n");
  ASSERT_EQ(system(("mosquitto_passwd -U " + file).c_str()), 0);
  MosquittoBroker broker({.anonymous = false, .lines = "password_file " + file + "\n"});
  for (const int protocol : {4, 5}) {
    Options options = options_for(broker, protocol);
    options.broker.username = "meter";
    options.broker.password = "hidden-password";
    Linked right(options);
    EXPECT_TRUE(right.wait_until_ready()) << protocol;
    options.broker.password = "hidden-wrong";
    options.broker.client_id = "another";
    Linked wrong(options);
    EXPECT_THAT(error_of(wrong), HasSubstr("check username and password of broker test"));
    for (const std::string& text : {right.log(), wrong.log(), wrong.client().status().last_error}) {
      EXPECT_THAT(text, Not(HasSubstr("hidden")));
      EXPECT_THAT(text, Not(HasSubstr("meter")));
    }
  }
}

// A broker that says what the test wants, byte by byte.
class ScriptedBroker {
 public:
  ScriptedBroker() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ROLLUP_CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    ROLLUP_CHECK(listen(listener_, 5) == 0);
    ROLLUP_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~ScriptedBroker() {
    hang_up();
    close(listener_);
  }

  // Pauses so long that there is one try only.
  Options options() const {
    Options options;
    options.broker.name = "test";
    options.broker.host = "127.0.0.1";
    options.broker.port = port_;
    options.backoff_first = std::chrono::seconds(60);
    return options;
  }
  // Takes the connection, and the CONNECT.
  void accept_client() {
    client_ = accept(listener_, nullptr, nullptr);
    char buffer[512];
    ROLLUP_CHECK(client_ >= 0 && read(client_, buffer, sizeof buffer) > 0);
  }
  void say(std::string_view bytes) {
    ROLLUP_CHECK(send(client_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                 static_cast<ssize_t>(bytes.size()));
  }
  void hang_up() {
    if (client_ >= 0) {
      close(client_);
      client_ = -1;
    }
  }

 private:
  int listener_;
  int client_ = -1;
  int port_ = 0;
};

using std::string_view_literals::operator""sv;
// CONNACK: success, no session, no properties.
constexpr std::string_view kWelcome = "\x20\x03\0\0\0"sv;

TEST(ClientConnectTest, SilentBrokerIsGivenUpAfterTheHandshakeTime) {
  ScriptedBroker broker;
  Options options = broker.options();
  options.handshake_max = Duration(100);
  Linked linked(options);
  EXPECT_THAT(error_of(linked), HasSubstr("no answer from 127.0.0.1"));
  EXPECT_EQ(linked.client().status().state, LinkState::down);
}

TEST(ClientConnectTest, BrokerThatHangsUpDuringTheHandshakeIsLeftAtOnce) {
  ScriptedBroker broker;
  Linked linked(broker.options());
  broker.accept_client();
  broker.hang_up();
  EXPECT_THAT(error_of(linked), HasSubstr("closed the connection"));
}

TEST(ClientConnectTest, UnsupportedVersionIsNamedWithItsRemedy) {
  ScriptedBroker broker;
  Linked linked(broker.options());
  broker.accept_client();
  broker.say("\x20\x02\0\x01"sv);  // as a broker of MQTT 3.1.1 says it
  EXPECT_THAT(error_of(linked), HasSubstr("set protocol: 3.1.1"));
}

TEST(ClientConnectTest, ReasonOfADisconnectIsTold) {
  ScriptedBroker broker;
  Linked linked(broker.options());
  broker.accept_client();
  broker.say(kWelcome);
  ASSERT_TRUE(linked.wait_for_state(LinkState::connected));
  broker.say("\xe0\x01\x8e"sv);
  EXPECT_THAT(error_of(linked), HasSubstr("give each its own client_id"));
  EXPECT_EQ(linked.client().status().state, LinkState::down);
}

// SEMANTICS 9: nothing a broker sends can crash it.
TEST(ClientConnectTest, BrokenPacketsEndTheConnectionOnly) {
  const std::string_view packets[] = {
      "\x30\xff\xff\xff\xff\x7f"sv,         // a length of five bytes
      "\x30\x02\0\x09"sv,                   // a topic longer than its packet
      "\x30\x03\0\x01t"sv,                  // no properties
      "\x30\x06\0\x01t\x09\x0b\xff"sv,      // properties longer than their packet
      "\x30\x07\0\x01t\x05\x0b\xff\xff"sv,  // an identifier that does not end
      "\x32\x06\0\x01t\0\0\0"sv,            // QoS 1, packet identifier 0
      "\x36\x06\0\x01t\0\x01\0"sv,          // QoS 3
      "\x90\x02\0\x01"sv,                   // SUBACK of nothing
      "\x00\x00"sv,
      "\xf0\x00"sv,
      "GET / HTTP/1.1\r\n\r\n"sv,
  };
  for (const std::string_view packet : packets) {
    ScriptedBroker broker;
    Linked linked(broker.options(), {wish(0, "t")});
    broker.accept_client();
    broker.say(kWelcome);
    ASSERT_TRUE(linked.wait_for_state(LinkState::connected));
    broker.say(packet);
    broker.hang_up();
    EXPECT_TRUE(linked.wait_for_state(LinkState::down));
    EXPECT_NE(linked.client().status().last_error, "");
  }
}

TEST(ClientConnectTest, RefusedSubscriptionIsNamedWithItsRemedyAndOthersWork) {
  // The plugin lies in the directory of the machine's architecture.
  std::string plugin;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib")) {
    const std::filesystem::path path = entry.path() / "mosquitto_dynamic_security.so";
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) {
      plugin = path.string();
    }
  }
  if (plugin.empty()) {
    GTEST_SKIP() << "mosquitto's plugin dynamic_security is not installed";
  }
  TempDir dir;
  const std::string file = dir.write("security.json", R"({
    "defaultACLAccess": {"publishClientSend": true, "publishClientReceive": true,
                         "subscribe": false, "unsubscribe": true},
    "clients": [], "anonymousGroup": "everybody",
    "groups": [{"groupname": "everybody", "roles": [{"rolename": "reader"}], "clients": []}],
    "roles": [{"rolename": "reader", "acls": [
      {"acltype": "subscribeLiteral", "topic": "allowed", "priority": 1, "allow": true}]}]})");
  MosquittoBroker broker({.lines = "plugin " + plugin + "\nplugin_opt_config_file " + file + "\n"});
  for (const int protocol : {4, 5}) {
    Linked linked(options_for(broker, protocol), {wish(0, "denied/{x}"), wish(1, "allowed")});
    EXPECT_THAT(error_of(linked), HasSubstr("subscription to \"denied/+\" refused"));
    ASSERT_TRUE(linked.wait([&] { return linked.client().status().filters_missing == 1; }));
    EXPECT_THAT(linked.log(), HasSubstr("access_subscribe"));
    MqttPeer peer(broker.host(), broker.port(), "peer");
    peer.publish("allowed", "1");
    EXPECT_EQ(linked.next_payload(), "1");
  }
}

}  // namespace
}  // namespace rollup::mqtt
