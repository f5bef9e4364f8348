// One MQTT message that is to be published.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace rollup {

struct Publication {
  std::string topic = {};
  // Never empty: an empty payload deletes the retained message and crashes a client.
  std::string payload = {};
  int qos = 1;
  bool retain = false;
  // MQTT 5 message expiry; nothing: none.
  std::optional<std::uint32_t> expiry_s = {};
  // MQTT 5 content type, e.g. "application/json"; "": none.
  std::string content_type = {};
  std::string broker = {};  // its name in the configuration
};

}  // namespace rollup
