// What the broker links have taken in and appended, and a broker may deliver again: the last
// kOpenDeliveriesMax messages of each (mqtt::Redeliveries says why that is enough). Kept with the
// turn that appends them, so a redelivery after a kill is recognised. Pure.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/delivery.h"

namespace rollup::app {

class Deliveries {
 public:
  // Of what encode() made; anything else is an error.
  static Result<Deliveries> decode(std::string_view bytes);
  std::string encode() const;

  void add(const std::string& broker, const Delivery& delivery);
  // All of `later`, in its order.
  void add(const Deliveries& later);
  bool empty() const { return by_broker_.empty(); }

  // Oldest first. None: there was no message of this broker.
  std::vector<Delivery> of(const std::string& broker) const;

 private:
  std::map<std::string, std::deque<Delivery>> by_broker_;
};

}  // namespace rollup::app
