// Another MQTT client for a test: a device or an application at the broker. Works only within its
// member functions, on the caller's thread.
#pragma once

#include <mosquitto.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rollup::testing {

struct PeerMessage {
  std::string topic;
  std::string payload;
  int qos = 0;
  bool retained = false;
  // MQTT 5 properties.
  std::optional<std::uint32_t> expiry_s;
  std::string content_type;
  bool is_text = false;
  bool has_user_properties = false;
};

class MqttPeer {
 public:
  // Connects, and waits for the broker's answer. `port` 0: `host` is the path of a unix socket.
  MqttPeer(const std::string& host, int port, const std::string& client_id);

  // Returns when the broker has granted it.
  void subscribe(const std::string& filter, int qos = 1);
  // Returns when the broker has acknowledged it (QoS 0: when it is written).
  void publish(const std::string& topic, const std::string& payload, int qos = 1,
               bool retain = false);
  // As publish(), many at once.
  void publish_many(const std::string& topic, const std::vector<std::string>& payloads, int qos);

  // Runs the connection until `is_done` holds; false if it does not within `patience`.
  bool run_until(const std::function<bool()>& is_done,
                 std::chrono::milliseconds patience = std::chrono::seconds(10));
  // The next message, in the order of arrival.
  std::optional<PeerMessage> next(std::chrono::milliseconds patience = std::chrono::seconds(10));

 private:
  struct Destroy {
    void operator()(mosquitto* handle) const { mosquitto_destroy(handle); }
  };
  std::unique_ptr<mosquitto, Destroy> handle_;
  bool connected_ = false;
  int answers_ = 0;  // SUBACKs, and publications done with
  std::vector<PeerMessage> messages_;
  std::size_t next_message_ = 0;
};

}  // namespace rollup::testing
