// What an output says about a series: the content of a published message, before it is encoded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/aggregate.h"

namespace rollup {

struct Summary {
  Time start;
  Time end;
  Duration window{};
  // The value held at `end` (for on: change, the newest value); nothing if it is unknown then.
  std::optional<double> value;
  Aggregate aggregate;
  // Of [start, end), or of its part since the series' first sample (SEMANTICS 2.4). 0 .. 1.
  double covered = 0;
  // false: the window was merged from several buckets and less than half of it is covered, so its
  // aggregates but count are unknown (SEMANTICS 2.4).
  bool is_known = true;
  std::uint32_t rev = 1;
  // No sample can change it any more.
  bool final = false;
  // Averages of equal parts of the sparkline's span, oldest first; a gap is nothing. Empty if the
  // output has no sparkline.
  std::vector<std::optional<double>> spark;

  friend bool operator==(const Summary&, const Summary&) = default;
};

}  // namespace rollup
