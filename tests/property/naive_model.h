// What the engine must come to for one series with a fixed hold, told as simply as possible: every
// accepted sample is kept, and each bucket is made from all of them by its definition.
#pragma once

#include <optional>
#include <vector>

#include "base/time.h"
#include "base/zone.h"
#include "model/aggregate.h"
#include "model/bucket.h"

namespace rollup::testing {

class NaiveModel {
 public:
  struct Rules {
    Duration resolution{};
    Duration lateness{};
    Duration hold{};
    bool has_event_time = false;
    Zone zone;
  };

  explicit NaiveModel(const Rules& rules) : rules_(rules) {}

  enum class Verdict { accepted, future, too_late };
  // `now` is the wall clock; it never goes back here.
  Verdict observe(Time time, double value, Time now);

  // All knowledge of [from, to) when time has come to `now`.
  Aggregate window(Time from, Time to, Time now) const;

  // The value held at `end`, by samples before it.
  std::optional<double> held_before(Time end) const;

  // The bucket of `tier` that `time` lies in.
  std::pair<Time, Time> bounds(Tier tier, Time time) const;

  std::optional<Time> first_time() const;
  const std::vector<Point>& samples() const { return samples_; }

 private:
  Rules rules_;
  std::vector<Point> samples_;  // ascending; equal times in order of arrival
};

}  // namespace rollup::testing
