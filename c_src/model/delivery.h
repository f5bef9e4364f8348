// What tells a message that a broker delivers again (MQTT QoS 1) from a new one.
#pragma once

#include <cstdint>

namespace rollup {

struct Delivery {
  std::uint16_t packet_id = 0;
  std::uint32_t content = 0;  // stable_hash() of topic and payload

  friend bool operator==(const Delivery&, const Delivery&) = default;
};

}  // namespace rollup
