// Whether a link's messages should be appended at once, and not with the next regular turn.
//
// The broker may have a window of its own that we are not told of: it then sends nothing until it
// has acknowledgements (ejabberd: one message, Mosquitto: 20), and a turn each 20 ms would hold it
// to 50 windows a second. That looks so: nothing came while the acknowledgements were held back,
// and something comes as soon as they have left. From time to time a regular turn is waited for
// nevertheless, to see whether this is still so, as turns that are taken at once are dear.
//
// Pure: now is handed in. Not thread-safe.
#pragma once

#include <chrono>

namespace rollup::mqtt {

class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  // All that was open is acknowledged.
  void acknowledged(Clock::time_point now) { acknowledged_at_ = now; }

  // A message comes after that. `was_waiting`: it was there when the acknowledgements left. True:
  // it is wanted at once.
  bool begins(bool was_waiting, Clock::time_point now) {
    if (was_waiting || now - acknowledged_at_ >= kPrompt) {
      in_a_row_ = 0;
      return false;
    }
    in_a_row_ = in_a_row_ == kInARowMax ? 0 : in_a_row_ + 1;
    return in_a_row_ > 0;
  }

 private:
  static constexpr auto kPrompt = std::chrono::milliseconds(5);
  static constexpr int kInARowMax = 32;

  Clock::time_point acknowledged_at_;
  int in_a_row_ = 0;
};

}  // namespace rollup::mqtt
