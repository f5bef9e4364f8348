// One value of a series at one time.
#pragma once

#include "base/time.h"
#include "model/ids.h"

namespace rollup {

struct Sample {
  SeriesId series = 0;
  // Event time from the payload: a second sample of that very time replaces the first (SEMANTICS
  // 1.5). Otherwise `time` is the arrival, and equal times keep both.
  bool has_event_time = false;
  // Replayed at subscribe: sets the current value if there is none and nothing else
  // (SEMANTICS 1.7).
  bool retained = false;
  Time time;
  // Scaled, finite, inside `valid`.
  double value = 0;
};

}  // namespace rollup
