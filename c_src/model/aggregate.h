// What is known of one series over a stretch of time: all its parts, to calculate with. Coarser
// stretches are made by merge(), never from averages (SEMANTICS 2.3).
//
// Invariants
// 1. `known` is the time for which a value was held; `integral` is that value over that time.
// 2. `min`, `max` cover the samples and every value held for more than 0 ms (SEMANTICS 2.2), so
// they
//    are meaningful iff !empty(). `first`, `last` and their times are meaningful iff count > 0.
// 3. merge() is associative and commutative to the last bit in known, count, min, max, first and
//    last, and within rounding in integral, sum and m2.
// 4. A part that is not in `parts` is as it began.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "model/parts.h"
#include "model/statistic.h"

namespace rollup {

struct Aggregate : Presence<Wide>, Held<Wide>, Moments<Wide>, Range<Wide>, Ends<Wide>, Increase {
  Aggregate() = default;
  explicit Aggregate(Parts kept) : parts(kept) {}

  Parts parts = kGaugeParts;

  bool has(Parts some) const { return has_all(parts, some); }

  // No sample and nothing held: a gap (SEMANTICS 1.8).
  bool empty() const { return count == 0 && known.count() == 0; }

  // Adds a sample, in any order.
  void add_sample(Time time, double value);

  // Adds `value` held for `held` (>= 0; 0 changes nothing).
  void add_held(double value, Duration held);

  // Adds what a counter counted between two samples, the later of which lies in this stretch.
  void add_increase(const Increase& counted) { Increase::merge(counted); }

  // Joins another stretch of the same series, in the parts that both have. The stretches must not
  // share samples.
  void merge(const Aggregate& other);

  friend bool operator==(const Aggregate&, const Aggregate&) = default;
};

// The value of a statistic; nothing if the stretch does not know it (SEMANTICS 2.2) or does not
// keep what it is made of: `avg` needs known time (or, where no time is known, falls to the mean of
// its samples), `min`/`max`, `increase` and `resets` any knowledge, `rate` known time, the others
// at least one sample. `sum` and `count` of no samples are 0.
std::optional<double> value_of(const Aggregate& aggregate, Statistic statistic);

// known / span, 0 .. 1.
double covered(const Aggregate& aggregate, Duration span);

}  // namespace rollup
