// One MQTT message as a broker link hands it in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/delivery.h"

namespace rollup {

struct Message {
  // Name of the broker in the configuration, as an index into Config::brokers. Known when the
  // message is taken in: a reload moves the brokers.
  std::uint32_t broker = 0;
  // The broker link that it came by: a number that never changes in a run of the program.
  std::uint32_t link = 0;
  // Of the messages that this link acknowledges when they are appended, from 1 on; 0: it is none.
  std::uint64_t number = 0;
  Delivery delivery;  // if there is a number
  // The first such message of a new session.
  bool begins_session = false;
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
