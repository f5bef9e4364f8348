#include "model/aggregate.h"

#include <algorithm>
#include <cmath>

namespace rollup {

void Aggregate::add_sample(Time time, double value) {
  if (has(kMoments)) {
    Moments::add_sample(count, value);
  }
  if (has(kRange)) {
    Range::add(value);
  }
  if (has(kEnds)) {
    Ends::add_sample(count, time, value);
  }
  ++count;
}

void Aggregate::add_held(double value, Duration held) {
  if (held.count() <= 0) {
    return;
  }
  known += held;
  if (has(kHeld)) {
    Held::add_held(value, static_cast<double>(held.count()));
  }
  if (has(kRange)) {
    Range::add(value);
  }
}

void Aggregate::merge(const Aggregate& other) {
  const Parts both = parts & other.parts;
  if (has_all(both, kHeld)) {
    Held::merge(other);
  }
  if (has_all(both, kMoments)) {
    Moments::merge(count, other, other.count);
  }
  if (has_all(both, kRange)) {
    Range::merge(other);
  }
  if (has_all(both, kEnds)) {
    Ends::merge(count, other, other.count);
  }
  if (has_all(both, kIncrease)) {
    Increase::merge(other);
  }
  known += other.known;
  count += other.count;
}

std::optional<double> value_of(const Aggregate& aggregate, Statistic statistic) {
  if (statistic == Statistic::avg && aggregate.has(kHeld) && aggregate.known.count() > 0) {
    return aggregate.integral / static_cast<double>(aggregate.known.count());
  }
  if (!aggregate.has(row_of(statistic).needs)) {
    return std::nullopt;
  }
  const bool has_samples = aggregate.count > 0;
  const double n = static_cast<double>(aggregate.count);
  const auto if_any = [](bool is_any, double value) {
    return is_any ? std::optional(value) : std::nullopt;
  };
  switch (statistic) {
    case Statistic::sum:
      return aggregate.sum;
    case Statistic::count:
      return n;
    case Statistic::avg:  // of no time: that of its samples
    case Statistic::mean:
      return if_any(has_samples, aggregate.sum / n);
    case Statistic::min:
      return if_any(!aggregate.empty(), aggregate.min);
    case Statistic::max:
      return if_any(!aggregate.empty(), aggregate.max);
    case Statistic::first:
      return if_any(has_samples, aggregate.first);
    case Statistic::last:
      return if_any(has_samples, aggregate.last);
    case Statistic::stddev:
      return if_any(has_samples, std::sqrt(std::max(0.0, aggregate.m2 / n)));
    case Statistic::delta:
      return if_any(has_samples, aggregate.last - aggregate.first);
    case Statistic::increase:
      return if_any(!aggregate.empty(), aggregate.increase);
    case Statistic::rate:  // per second
      return if_any(aggregate.known.count() > 0,
                    aggregate.increase * 1000 / static_cast<double>(aggregate.known.count()));
    case Statistic::resets:
      return if_any(!aggregate.empty(), static_cast<double>(aggregate.resets));
  }
  return std::nullopt;
}

double covered(const Aggregate& aggregate, Duration span) {
  if (span.count() <= 0) {
    return 0;
  }
  const double share =
      static_cast<double>(aggregate.known.count()) / static_cast<double>(span.count());
  return std::clamp(share, 0.0, 1.0);
}

}  // namespace rollup
