// The only place that reads the clocks.
#pragma once

#include <chrono>

#include "base/time.h"

namespace rollup::app {

class Clock {
 public:
  using Steady = std::chrono::steady_clock;

  // `before`: how long the program had run in earlier runs on the same history.
  void start(Duration before) {
    before_ = before;
    started_ = Steady::now();
  }

  Now now() const {
    return {std::chrono::floor<Duration>(std::chrono::system_clock::now()), before_ + running()};
  }

  // Since start().
  Duration running() const {
    return std::chrono::duration_cast<Duration>(Steady::now() - started_);
  }

 private:
  Duration before_{0};
  Steady::time_point started_ = Steady::now();
};

}  // namespace rollup::app
