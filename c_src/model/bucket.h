// The aggregates of one series over one interval of a tier.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/time.h"
#include "model/aggregate.h"

namespace rollup {

// In the order of coarseness. `fine` is the stream's own resolution.
enum class Tier : std::uint8_t { raw = 0, fine = 1, hour = 2, day = 3 };
inline constexpr int kTierCount = 4;

std::string_view to_string(Tier tier);

// A sample as the raw tier keeps it.
struct Point {
  Time time;
  double value = 0;
  friend bool operator==(const Point&, const Point&) = default;
};

// Half open: [start, end).
struct Bucket {
  Time start;
  Time end;
  // 1 when first published; each correction after that adds 1 (SEMANTICS 1.3). 0: not published
  // yet.
  std::uint32_t rev = 0;
  Aggregate aggregate;

  friend bool operator==(const Bucket&, const Bucket&) = default;
};

}  // namespace rollup
