#include "support/mqtt_peer.h"

#include <stdlib.h>

#include "base/check.h"
#include "mqtt/protocol_constants.h"

namespace rollup::testing {
namespace {

PeerMessage to_message(const mosquitto_message& from, const mosquitto_property* properties) {
  PeerMessage message;
  message.topic = from.topic;
  message.payload.assign(static_cast<const char*>(from.payload),
                         static_cast<std::size_t>(from.payloadlen));
  message.qos = from.qos;
  message.retained = from.retain;
  std::uint32_t expiry = 0;
  if (mosquitto_property_read_int32(properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, &expiry,
                                    false) != nullptr) {
    message.expiry_s = expiry;
  }
  char* text = nullptr;
  if (mosquitto_property_read_string(properties, MQTT_PROP_CONTENT_TYPE, &text, false) != nullptr) {
    message.content_type = text;
    free(text);
  }
  std::uint8_t indicator = 0;
  mosquitto_property_read_byte(properties, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, &indicator, false);
  message.is_text = indicator == 1;
  for (const mosquitto_property* p = properties; p != nullptr; p = mosquitto_property_next(p)) {
    if (mosquitto_property_identifier(p) == MQTT_PROP_USER_PROPERTY) {
      message.has_user_properties = true;
    }
  }
  return message;
}

}  // namespace

MqttPeer::MqttPeer(const std::string& host, int port, const std::string& client_id) {
  static const int library = mosquitto_lib_init();
  ROLLUP_CHECK(library == MOSQ_ERR_SUCCESS);
  handle_.reset(mosquitto_new(client_id.c_str(), true, this));
  mosquitto* const handle = handle_.get();
  mosquitto_int_option(handle, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_int_option(handle, MOSQ_OPT_RECEIVE_MAXIMUM, 65'535);
  mosquitto_connect_v5_callback_set(
      handle, [](mosquitto*, void* self, int reason, int, const mosquitto_property*) {
        static_cast<MqttPeer*>(self)->connected_ = reason == 0;
      });
  mosquitto_subscribe_v5_callback_set(
      handle, [](mosquitto*, void* self, int, int, const int* granted, const mosquitto_property*) {
        ROLLUP_CHECK(granted[0] < MQTT_RC_UNSPECIFIED);
        ++static_cast<MqttPeer*>(self)->answers_;
      });
  mosquitto_publish_v5_callback_set(
      handle, [](mosquitto*, void* self, int, int, const mosquitto_property*) {
        ++static_cast<MqttPeer*>(self)->answers_;
      });
  mosquitto_message_v5_callback_set(
      handle,
      [](mosquitto*, void* self, const mosquitto_message* message, const mosquitto_property* p) {
        static_cast<MqttPeer*>(self)->messages_.push_back(to_message(*message, p));
      });
  ROLLUP_CHECK(mosquitto_connect(handle, host.c_str(), port, 60) == MOSQ_ERR_SUCCESS);
  ROLLUP_CHECK(run_until([this] { return connected_; }));
}

void MqttPeer::subscribe(const std::string& filter, int qos) {
  answers_ = 0;
  ROLLUP_CHECK(mosquitto_subscribe(handle_.get(), nullptr, filter.c_str(), qos) ==
               MOSQ_ERR_SUCCESS);
  ROLLUP_CHECK(run_until([this] { return answers_ == 1; }));
}

void MqttPeer::publish(const std::string& topic, const std::string& payload, int qos, bool retain) {
  answers_ = 0;
  ROLLUP_CHECK(mosquitto_publish(handle_.get(), nullptr, topic.c_str(),
                                 static_cast<int>(payload.size()), payload.data(), qos,
                                 retain) == MOSQ_ERR_SUCCESS);
  ROLLUP_CHECK(run_until([this] { return answers_ == 1; }));
}

void MqttPeer::publish_many(const std::string& topic, const std::vector<std::string>& payloads,
                            int qos) {
  answers_ = 0;
  for (const std::string& payload : payloads) {
    ROLLUP_CHECK(mosquitto_publish(handle_.get(), nullptr, topic.c_str(),
                                   static_cast<int>(payload.size()), payload.data(), qos,
                                   false) == MOSQ_ERR_SUCCESS);
  }
  const int count = static_cast<int>(payloads.size());
  ROLLUP_CHECK(run_until([&] { return answers_ == count; }, std::chrono::seconds(60)));
}

bool MqttPeer::run_until(const std::function<bool()>& is_done, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!is_done()) {
    if (std::chrono::steady_clock::now() >= deadline ||
        mosquitto_loop(handle_.get(), 20, 1) != MOSQ_ERR_SUCCESS) {
      return is_done();
    }
  }
  return true;
}

std::optional<PeerMessage> MqttPeer::next(std::chrono::milliseconds patience) {
  if (!run_until([this] { return next_message_ < messages_.size(); }, patience)) {
    return std::nullopt;
  }
  return messages_[next_message_++];
}

}  // namespace rollup::testing
