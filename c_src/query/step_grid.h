// The rows of an answer about the past: where each begins, and how long a row should be.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "base/zone.h"

namespace rollup::query {

inline constexpr Duration kDay = std::chrono::hours(24);

// Tiles time into steps. Whole days are local days of a zone, counted so that seven of them begin
// on a Monday; all other steps are multiples since the UTC epoch.
class StepGrid {
 public:
  // `step` > 0. `zone` must outlive the grid.
  StepGrid(Duration step, const Zone& zone);

  // The start of the step that `time` lies in.
  Time floor(Time time) const;
  // The end of the step that begins at `start`.
  Time next(Time start) const;
  // The first start that is not before `time`.
  Time ceil(Time time) const;

  bool has_local_days() const { return days_ > 0; }

 private:
  // The local date of `time`, in days since 1970-01-01.
  std::int64_t day_of(Time time) const;
  // The start of the first local day that is not before that date.
  Time start_of_day(std::int64_t day) const;

  Duration step_;
  const Zone& zone_;
  std::int64_t days_ = 0;  // 0: no whole days
};

// A round step that is a multiple of `resolution` and tiles `range` in at most about 60 rows.
Duration default_step(Duration range, Duration resolution);

// The longest of those steps that is at most `most`; nothing if there is none.
std::optional<Duration> round_step_below(Duration most, Duration resolution);

}  // namespace rollup::query
