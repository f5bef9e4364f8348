// What a counter counted from one sample to the next (SEMANTICS 3).
#pragma once

#include <optional>

#include "base/time.h"
#include "model/config.h"
#include "model/parts.h"

namespace rollup::engine {

class Counter {
 public:
  // A fall to almost nothing, which may be a glitch: what was counted since waits for the return to
  // the value before until then.
  struct Doubt {
    Time until;
    double baseline = 0;  // before the fall
    Increase gathered;

    friend bool operator==(const Doubt&, const Doubt&) = default;
  };
  struct State {
    std::optional<double> baseline;  // nothing: there was no sample yet
    std::optional<Doubt> doubt;

    friend bool operator==(const State&, const State&) = default;
  };

  // Takes the next sample (a value >= 0, in the order of time) and gives what is counted with it.
  // `hold`: how long a value counts.
  static Increase add(State& state, Time time, double value, Duration hold, Reset reset);
};

}  // namespace rollup::engine
