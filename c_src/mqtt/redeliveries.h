// Which messages of a resumed session were taken in before (QoS 1: a broker delivers again what it
// has no acknowledgement of).
//
// A broker that is told kOpenDeliveriesMax delivers only the last so many again, first of all after
// it has resumed the session, with their packet identifiers and with DUP set. So only the first so
// many messages after that are compared, and one that has no DUP is new whatever it looks like: an
// equal value that comes later under a reused identifier is never taken for a redelivery. A broker
// that does not honour the maximum (MQTT 3.1.1 has none) and has more open can bring some twice.
//
// Pure. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <vector>

#include "model/delivery.h"

namespace rollup::mqtt {

class Redeliveries {
 public:
  // `taken`: what is known of earlier connections, oldest first.
  explicit Redeliveries(const std::vector<Delivery>& taken) : taken_(taken.begin(), taken.end()) {
    trim();
  }

  // Whether a message was ever taken in, so that there has been a session.
  bool has_any() const { return !taken_.empty(); }

  // A connection stands; `resumed`: the broker had a session for us.
  void connected(bool resumed) {
    if (!resumed) {
      taken_.clear();
    }
    open_.assign(taken_.begin(), taken_.end());
    left_ = open_.empty() ? 0 : kOpenDeliveriesMax;
  }

  // Whether messages are being compared.
  bool compares() const { return left_ > 0; }

  // The next message that is to be acknowledged. `may_be_again`: its DUP flag is set, or not known.
  // True: it was taken in before. False: it is taken in now.
  bool is_again(const Delivery& delivery, bool may_be_again) {
    if (left_ > 0) {
      --left_;
      const auto found = std::find(open_.begin(), open_.end(), delivery);
      if (may_be_again && found != open_.end()) {
        open_.erase(found);
        return true;
      }
    }
    taken_.push_back(delivery);
    trim();
    return false;
  }

 private:
  void trim() {
    while (taken_.size() > kOpenDeliveriesMax) {
      taken_.pop_front();
    }
  }

  std::deque<Delivery> taken_;
  std::vector<Delivery> open_;  // of taken_, what did not come again on this connection
  std::size_t left_ = 0;        // messages that are still compared
};

}  // namespace rollup::mqtt
