// The parts that knowledge of a stretch is made of. What a stretch keeps is a set of them: it
// follows from the kind of its series and from what is asked of it, so nothing is paid for what
// nobody asks. Each part is one struct that knows how to take a sample, a held value, and another
// stretch.
//
// A part is written once for two widths: Wide for what is calculated with, Narrow for the rows that
// the engine keeps (engine/layout.h), where times are milliseconds since the row's start.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "base/time.h"

namespace rollup {

// A set of parts.
using Parts = std::uint32_t;
inline constexpr Parts kPresence = 1;  // in every set
inline constexpr Parts kHeld = 2;
inline constexpr Parts kMoments = 4;
inline constexpr Parts kRange = 8;
inline constexpr Parts kEnds = 16;
inline constexpr Parts kIncrease = 32;
// What the kinds of series keep: a gauge, a counter; and all there are.
inline constexpr Parts kGaugeParts = kPresence | kHeld | kMoments | kRange | kEnds;
inline constexpr Parts kCounterParts = kPresence | kIncrease;
inline constexpr Parts kAllParts = kGaugeParts | kIncrease;

constexpr bool has_all(Parts parts, Parts some) { return (parts & some) == some; }

struct Wide {
  using Moment = Time;
  using Span = Duration;
  using Count = std::uint64_t;
};
struct Narrow {
  using Moment = std::uint32_t;  // ms since the row's start
  using Span = std::uint32_t;    // ms
  using Count = std::uint32_t;
};

// For how long a value is known, and of how many samples.
template <class Width>
struct Presence {
  typename Width::Span known{0};
  typename Width::Count count = 0;

  friend bool operator==(const Presence&, const Presence&) = default;
};

template <class Width>
struct Held {
  double integral = 0;  // value * ms

  void add_held(double value, double held_ms) { integral += value * held_ms; }
  void merge(const Held& other) { integral += other.integral; }
  friend bool operator==(const Held&, const Held&) = default;
};

template <class Width>
struct Moments {
  double sum = 0;
  double m2 = 0;  // sum of squared distances from the mean (Welford)

  // `count`: samples before this one.
  void add_sample(std::uint64_t count, double value) {
    if (count == 0) {
      sum = value;
      return;
    }
    const double n = static_cast<double>(count);
    const double from_old_mean = value - sum / n;
    sum += value;
    m2 += from_old_mean * (value - sum / (n + 1));
  }
  // Chan, Golub, LeVeque: the parallel form of Welford's update.
  void merge(std::uint64_t count, const Moments& other, std::uint64_t other_count) {
    if (other_count == 0) {
      return;
    }
    if (count == 0) {
      *this = other;
      return;
    }
    const double n = static_cast<double>(count);
    const double m = static_cast<double>(other_count);
    const double between = other.sum / m - sum / n;
    m2 += other.m2 + between * between * (n * m / (n + m));
    sum += other.sum;
  }
  friend bool operator==(const Moments&, const Moments&) = default;
};

template <class Width>
struct Range {
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();

  void add(double value) {
    min = std::min(min, value);
    max = std::max(max, value);
  }
  void merge(const Range& other) {
    min = std::min(min, other.min);
    max = std::max(max, other.max);
  }
  friend bool operator==(const Range&, const Range&) = default;
};

// Meaningful iff there is a sample.
template <class Width>
struct Ends {
  double first = 0;
  double last = 0;
  typename Width::Moment first_time{};
  typename Width::Moment last_time{};

  // `count`: samples before this one. Any order is right: of equal times the one added later is the
  // later one.
  void add_sample(std::uint64_t count, typename Width::Moment time, double value) {
    if (count == 0 || time < first_time) {
      first = value;
      first_time = time;
    }
    if (count == 0 || time >= last_time) {
      last = value;
      last_time = time;
    }
  }
  void merge(std::uint64_t count, const Ends& other, std::uint64_t other_count) {
    if (other_count == 0) {
      return;
    }
    if (count == 0) {
      *this = other;
      return;
    }
    if (other.first_time < first_time) {
      first = other.first;
      first_time = other.first_time;
    }
    if (other.last_time >= last_time) {
      last = other.last;
      last_time = other.last_time;
    }
  }
  friend bool operator==(const Ends&, const Ends&) = default;
};

// What a counter counted (SEMANTICS 3).
struct Increase {
  double increase = 0;
  std::uint64_t resets = 0;

  void merge(const Increase& other) {
    increase += other.increase;
    resets += other.resets;
  }
  friend bool operator==(const Increase&, const Increase&) = default;
};

}  // namespace rollup
