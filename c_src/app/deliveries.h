// What the broker links have taken in and appended, and a broker may deliver again: of each session
// the content of the last message of each packet identifier (mqtt::Redeliveries says why that is
// enough). Kept with the turn that appends them, so a redelivery after a kill is recognised. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "model/delivery.h"

namespace rollup::app {

class Deliveries {
 public:
  // Of what encode() made; anything else is an error.
  static Result<Deliveries> decode(std::string_view bytes);
  std::string encode() const;

  // `begins_session`: what is known of the broker's messages before is worth nothing.
  void add(const std::string& broker, bool begins_session, const Delivery& delivery);

  // In no order. None: there was no message of this broker.
  std::vector<Delivery> of(const std::string& broker) const;

 private:
  struct Session {
    bool is_new = false;
    std::unordered_map<std::uint16_t, std::uint32_t> contents;  // by packet identifier
  };
  std::map<std::string, Session> sessions_;  // by broker
};

}  // namespace rollup::app
