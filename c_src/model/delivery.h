// What tells a message that a broker delivers again (MQTT QoS 1) from a new one.
#pragma once

#include <cstdint>

namespace rollup {

struct Delivery {
  std::uint16_t packet_id = 0;
  std::uint32_t content = 0;  // stable_hash() of topic and payload

  friend bool operator==(const Delivery&, const Delivery&) = default;
};

// The most messages that a broker may send before it has an acknowledgement of the first (MQTT 5:
// Receive Maximum); so what it may deliver again are the last so many.
inline constexpr std::uint16_t kOpenDeliveriesMax = 400;

}  // namespace rollup
