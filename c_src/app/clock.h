// The only place that reads the clocks.
#pragma once

#include <chrono>

#include "base/time.h"

namespace rollup::app {

class Clock {
 public:
  virtual ~Clock() = default;

  // `before`: how long the program had run in earlier runs on the same history.
  void start(Duration before) {
    before_ = before;
    started_ = steady();
  }

  // Counts time as run in which the program was not there but missed nothing.
  void add_run(Duration time) { before_ += time; }

  Now now() const { return {wall(), before_ + running()}; }

  // Since start().
  Duration running() const { return steady() - started_; }

 private:
  virtual Time wall() const = 0;
  virtual Duration steady() const = 0;

  Duration before_{0};
  Duration started_{0};
};

class SystemClock final : public Clock {
 private:
  Time wall() const override {
    return std::chrono::floor<Duration>(std::chrono::system_clock::now());
  }
  Duration steady() const override {
    return std::chrono::duration_cast<Duration>(
        std::chrono::steady_clock::now().time_since_epoch());
  }
};

}  // namespace rollup::app
