// The usual interval between a series' samples, for `hold: auto` (SEMANTICS 2.1).
//
// The median of the last kIntervalsKept intervals: bounded memory, and it follows a device whose
// interval was changed. Exact for every series with up to that many intervals.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/time.h"

namespace rollup::engine {

inline constexpr std::size_t kIntervalsKept = 32;
inline constexpr Duration kHoldMin = std::chrono::seconds(60);

class Intervals {
 public:
  // An interval between two neighbouring samples, both live and in order; more than 49 days count
  // as 49 days.
  void add(Duration interval) {
    constexpr std::int64_t kMost = 0xffff'ffff;
    const std::int64_t ms = std::clamp<std::int64_t>(interval.count(), 0, kMost);
    kept_[next_ % kIntervalsKept] = static_cast<std::uint32_t>(ms);
    ++next_;
    // While there are few, each one matters; later the median moves slowly.
    if (next_ <= kIntervalsKept || next_ % (kIntervalsKept / 4) == 0) {
      update();
    }
  }

  // Three times the median, at least 60 s; 60 s while no interval is known.
  Duration hold() const { return hold_; }

  std::uint32_t added() const { return next_; }
  const std::array<std::uint32_t, kIntervalsKept>& kept() const { return kept_; }
  std::size_t size() const { return std::min<std::size_t>(next_, kIntervalsKept); }

  // `hold` is not always made of the newest intervals, so it belongs to what is kept.
  void restore(const std::array<std::uint32_t, kIntervalsKept>& kept, std::uint32_t added,
               Duration hold) {
    kept_ = kept;
    next_ = added;
    hold_ = std::clamp(hold, kHoldMin, 3 * Duration{0xffff'ffff});
  }

 private:
  void update() {
    const std::size_t count = size();
    if (count == 0) {
      return;
    }
    std::array<std::uint32_t, kIntervalsKept> sorted = kept_;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(count / 2);
    std::nth_element(sorted.begin(), middle, sorted.begin() + static_cast<std::ptrdiff_t>(count));
    hold_ = std::max(kHoldMin, 3 * Duration{*middle});
  }

  std::array<std::uint32_t, kIntervalsKept> kept_{};
  std::uint32_t next_ = 0;
  Duration hold_ = kHoldMin;
};

}  // namespace rollup::engine
