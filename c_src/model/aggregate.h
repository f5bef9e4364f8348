// What is kept of a stretch of a series instead of its samples, and how two stretches are joined.
//
// From these fields every aggregate of a gauge is derived, and merging them is exact: coarser
// buckets and windows are made by merge(), never from averages (SEMANTICS 2.3).
//
// Invariants
// 1. `known` is the time for which a value was held; `integral` is that value over that time.
// 2. `min`, `max` cover the samples and every value held for more than 0 ms (SEMANTICS 2.2),
//    so they are meaningful iff !empty(). `first`, `last` and their times are meaningful iff
//    count > 0.
// 3. merge() is associative and commutative to the last bit in known, count, min, max, first and
//    last, and within rounding in integral, sum and m2.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace rollup {

struct Aggregate {
  double integral = 0;  // value * ms
  double sum = 0;
  double m2 = 0;  // sum of squared distances from the mean (Welford)
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();
  double first = 0;
  double last = 0;
  Duration known{0};
  Time first_time;
  Time last_time;
  std::uint64_t count = 0;

  // No sample and nothing held: a gap (SEMANTICS 1.8).
  bool empty() const { return count == 0 && known.count() == 0; }

  // Adds a sample. In time order `first`/`last` need no comparison, but any order is right: of
  // equal times the one added later is the later one.
  void add_sample(Time time, double value);

  // Adds `value` held for `held` (>= 0; 0 changes nothing).
  void add_held(double value, Duration held);

  // Joins another stretch of the same series. The stretches must not share samples.
  void merge(const Aggregate& other);

  friend bool operator==(const Aggregate&, const Aggregate&) = default;
};

// The aggregates that can be asked for, in the order in which they are shown.
enum class AggregateKind { avg, mean, min, max, sum, count, first, last, stddev };
inline constexpr AggregateKind kAggregateKinds[] = {
    AggregateKind::avg,   AggregateKind::mean, AggregateKind::min,
    AggregateKind::max,   AggregateKind::sum,  AggregateKind::count,
    AggregateKind::first, AggregateKind::last, AggregateKind::stddev};

std::string_view to_string(AggregateKind kind);
std::optional<AggregateKind> parse_aggregate(std::string_view name);

// The value of one aggregate; nothing if the stretch does not know it (SEMANTICS 2.2): `avg` needs
// known time (or, where no time is known, falls to the mean of its samples), `min`/`max` any
// knowledge, the others at least one sample. `sum` and `count` of no samples are 0.
std::optional<double> value_of(const Aggregate& aggregate, AggregateKind kind);

// known / span, 0 .. 1.
double covered(const Aggregate& aggregate, Duration span);

}  // namespace rollup
