#include "model/aggregate.h"

#include <algorithm>
#include <cmath>

namespace rollup {

void Aggregate::add_sample(Time time, double value) {
  const double n = static_cast<double>(count);
  if (count > 0) {
    const double from_old_mean = value - sum / n;
    sum += value;
    m2 += from_old_mean * (value - sum / (n + 1));
  } else {
    sum = value;
  }
  if (count == 0 || time < first_time) {
    first = value;
    first_time = time;
  }
  if (count == 0 || time >= last_time) {
    last = value;
    last_time = time;
  }
  ++count;
  min = std::min(min, value);
  max = std::max(max, value);
}

void Aggregate::add_held(double value, Duration held) {
  if (held.count() <= 0) {
    return;
  }
  integral += value * static_cast<double>(held.count());
  known += held;
  min = std::min(min, value);
  max = std::max(max, value);
}

void Aggregate::merge(const Aggregate& other) {
  integral += other.integral;
  known += other.known;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  if (other.count == 0) {
    return;
  }
  if (count == 0) {
    sum = other.sum;
    m2 = other.m2;
    first = other.first;
    first_time = other.first_time;
    last = other.last;
    last_time = other.last_time;
    count = other.count;
    return;
  }
  const double n = static_cast<double>(count);
  const double m = static_cast<double>(other.count);
  // Chan, Golub, LeVeque: parallel form of Welford's update.
  const double between = other.sum / m - sum / n;
  m2 += other.m2 + between * between * (n * m / (n + m));
  sum += other.sum;
  count += other.count;
  if (other.first_time < first_time) {
    first = other.first;
    first_time = other.first_time;
  }
  if (other.last_time >= last_time) {
    last = other.last;
    last_time = other.last_time;
  }
}

std::string_view to_string(AggregateKind kind) {
  switch (kind) {
    case AggregateKind::avg:
      return "avg";
    case AggregateKind::mean:
      return "mean";
    case AggregateKind::min:
      return "min";
    case AggregateKind::max:
      return "max";
    case AggregateKind::sum:
      return "sum";
    case AggregateKind::count:
      return "count";
    case AggregateKind::first:
      return "first";
    case AggregateKind::last:
      return "last";
    case AggregateKind::stddev:
      return "stddev";
  }
  return "avg";
}

std::optional<AggregateKind> parse_aggregate(std::string_view name) {
  for (const AggregateKind kind : kAggregateKinds) {
    if (to_string(kind) == name) {
      return kind;
    }
  }
  return std::nullopt;
}

std::optional<double> value_of(const Aggregate& aggregate, AggregateKind kind) {
  const bool has_samples = aggregate.count > 0;
  const double n = static_cast<double>(aggregate.count);
  switch (kind) {
    case AggregateKind::sum:
      return aggregate.sum;
    case AggregateKind::count:
      return n;
    case AggregateKind::avg:
      if (aggregate.known.count() > 0) {
        return aggregate.integral / static_cast<double>(aggregate.known.count());
      }
      [[fallthrough]];
    case AggregateKind::mean:
      return has_samples ? std::optional(aggregate.sum / n) : std::nullopt;
    case AggregateKind::min:
      return aggregate.empty() ? std::nullopt : std::optional(aggregate.min);
    case AggregateKind::max:
      return aggregate.empty() ? std::nullopt : std::optional(aggregate.max);
    case AggregateKind::first:
      return has_samples ? std::optional(aggregate.first) : std::nullopt;
    case AggregateKind::last:
      return has_samples ? std::optional(aggregate.last) : std::nullopt;
    case AggregateKind::stddev:
      return has_samples ? std::optional(std::sqrt(std::max(0.0, aggregate.m2 / n))) : std::nullopt;
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
