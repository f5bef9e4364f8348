// Where frames to Erlang go.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"

namespace rollup::port {

class Outlet {
 public:
  // Credit beyond this is not counted.
  static constexpr std::uint64_t kCreditMax = 1'000'000;

  virtual ~Outlet() = default;

  // Queues a frame, at most kFrameBytesMax long.
  virtual void send(std::string_view frame) = 0;

  // How many events may be sent. send_event() takes one; never without credit.
  std::uint64_t credit() const { return credit_; }
  void add_credit(std::int64_t events) {
    ROLLUP_CHECK(events >= 0);
    credit_ =
        std::min(kCreditMax, credit_ + std::min(kCreditMax, static_cast<std::uint64_t>(events)));
  }
  void send_event(std::string_view frame) {
    ROLLUP_CHECK(credit_ > 0);
    --credit_;
    send(frame);
  }

 private:
  std::uint64_t credit_ = 0;
};

}  // namespace rollup::port
