// One MQTT message as a broker link hands it in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace rollup {

struct Message {
  // Name of the broker in the configuration, as an index into Config::brokers.
  std::uint32_t broker = 0;
  std::string topic;
  std::string payload;
  // When the link received it, on the wall clock.
  Time arrival;
  // The retain flag was set: it was sent because we subscribed (SEMANTICS 1.7).
  bool retained = false;
  // Who published it, as user@host/client; "" where the broker does not say.
  std::string publisher;
  // The streams that the broker says it was delivered for (StreamPlan::tag). Empty: the broker does
  // not say, and every matching stream takes it.
  std::vector<std::uint32_t> subscriptions;
};

}  // namespace rollup
