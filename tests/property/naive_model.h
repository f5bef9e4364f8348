// What the engine must come to for one series with a fixed hold, told as simply as possible: every
// accepted sample is kept, and each bucket is made from all of them by its definition.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/aggregate.h"
#include "model/bucket.h"
#include "model/config.h"

namespace rollup::testing {

class NaiveModel {
 public:
  struct Rules {
    Duration resolution{};
    Duration lateness{};
    Duration hold{};
    bool has_event_time = false;
    std::string timezone;  // a name of the zone database; empty: UTC
    Kind kind = Kind::gauge;
    Reset reset = Reset::zero;
  };

  explicit NaiveModel(const Rules& rules) : rules_(rules) {}

  enum class Verdict { accepted, future, too_late };
  // `now` is the wall clock; it never goes back here.
  Verdict observe(Time time, double value, Time now);

  // A copy that the broker kept: known as long as there is no sample (SEMANTICS 1.7).
  void observe_retained(double value);

  // All knowledge of [from, to) when time has come to `now`.
  Aggregate window(Time from, Time to, Time now) const;

  // The value held at `end`, by samples before it.
  std::optional<double> held_before(Time end) const;

  // The newest value: of the newest sample, however old, or a retained one.
  std::optional<double> newest() const;
  // Whether that sample's value counts at `now`. One that is still to come does.
  bool is_held(Time now) const;

  // The bucket of `tier` that `time` lies in. Days are found in the C library's calendar.
  std::pair<Time, Time> bounds(Tier tier, Time time) const;

  std::optional<Time> first_time() const;
  const std::vector<Point>& samples() const { return samples_; }

 private:
  // What a counter counted with each sample (SEMANTICS 3), by looking ahead.
  std::vector<Increase> increases() const;

  Rules rules_;
  std::optional<double> retained_;
  std::vector<Point> samples_;  // ascending; equal times in order of arrival
};

}  // namespace rollup::testing
