// Which messages of a resumed session were taken in before (QoS 1: a broker delivers again what it
// has no acknowledgement of).
//
// They come first of all when the session is resumed, with their packet identifiers and with DUP
// set. What is remembered is the content of the last message of each identifier, so no broker can
// have more open than that: also not one that sends more than Receive Maximum allows, as Mosquitto
// does when it has a backlog. A message without DUP is new whatever it looks like: an equal value
// that comes later under a reused identifier is never taken for a redelivery. Where DUP is not
// known, only the first kOpenMax messages are compared.
//
// Pure. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/delivery.h"

namespace rollup::mqtt {

// The most messages that we ask a broker to send before it has an acknowledgement of the first.
inline constexpr std::uint16_t kOpenMax = 400;

class Redeliveries {
 public:
  // `taken`: what is known of earlier connections.
  explicit Redeliveries(const std::vector<Delivery>& taken) {
    for (const Delivery& delivery : taken) {
      remember(delivery);
    }
  }

  // Whether a message was ever taken in, so that there has been a session.
  bool has_any() const { return has_any_; }

  // A connection stands; `resumed`: the broker had a session for us.
  void connected(bool resumed) {
    if (!resumed) {
      contents_.clear();
      has_any_ = false;
    }
    came_again_.clear();
    left_ = has_any_ ? kOpenMax : 0;
  }

  // Whether messages are being compared: until so many came in a row that were new.
  bool compares() const { return left_ > 0; }

  // The next message that is to be acknowledged, with its flag DUP if it is known. True: it was
  // taken in before. False: it is taken in now.
  bool is_again(const Delivery& delivery, std::optional<bool> dup) {
    if (left_ > 0) {
      --left_;
      if (dup.value_or(true) && is_remembered(delivery) && !has_come_again(delivery.packet_id)) {
        came_again_.resize(kIdentifiers);
        came_again_[delivery.packet_id] = true;
        left_ = dup ? kOpenMax : left_;
        return true;
      }
    }
    remember(delivery);
    return false;
  }

 private:
  static constexpr std::size_t kIdentifiers = 65'536;

  void remember(const Delivery& delivery) {
    contents_.resize(kIdentifiers);
    contents_[delivery.packet_id] = delivery.content;
    has_any_ = true;
  }
  bool is_remembered(const Delivery& delivery) const {
    return !contents_.empty() && contents_[delivery.packet_id] == delivery.content;
  }
  // On this connection: an identifier that comes again after that is used again.
  bool has_come_again(std::uint16_t packet_id) const {
    return !came_again_.empty() && came_again_[packet_id];
  }

  std::vector<std::optional<std::uint32_t>> contents_;  // by packet identifier; or empty
  std::vector<bool> came_again_;
  bool has_any_ = false;
  std::size_t left_ = 0;  // messages that are still compared
};

}  // namespace rollup::mqtt
