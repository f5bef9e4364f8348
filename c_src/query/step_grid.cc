#include "query/step_grid.h"

#include <array>
#include <string>

#include "base/text.h"

namespace rollup::query {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<Duration, 18> kRoundSteps = {
    seconds(1), seconds(5),  seconds(10), seconds(15), seconds(30), minutes(1),
    minutes(5), minutes(10), minutes(15), minutes(30), hours(1),    hours(2),
    hours(3),   hours(6),    hours(12),   kDay,        kDay * 7,    kDay * 30};
constexpr std::int64_t kRowsWanted = 60;

// 1970-01-05, in days since the epoch.
constexpr std::int64_t kFirstMonday = 4;

std::int64_t floor_multiple(std::int64_t value, std::int64_t size) {
  const std::int64_t rest = value % size;
  return value - (rest < 0 ? rest + size : rest);
}

}  // namespace

StepGrid::StepGrid(Duration step, const Zone& zone)
    : step_(step), zone_(zone), days_(step % kDay == Duration(0) ? step / kDay : 0) {}

std::int64_t StepGrid::day_of(Time time) const {
  const std::string date = zone_.format_local(zone_.day_start(time)).substr(0, 10);
  const std::optional<Time> as_utc = parse_rfc3339(date + "T00:00:00Z");
  return to_ms(as_utc.value_or(time)) / kDay.count();
}

Time StepGrid::start_of_day(std::int64_t day) const {
  // Noon UTC of that date lies on it or on the next one, in every zone.
  Time start = zone_.day_start(time_from_ms(day * kDay.count() + kDay.count() / 2));
  while (day_of(start) > day) {
    start = zone_.day_start(start - Duration(1));
  }
  // A zone may have left a date out when it moved across the date line.
  return day_of(start) == day ? start : zone_.day_end(start);
}

Time StepGrid::floor(Time time) const {
  if (days_ == 0) {
    return floor_to(time, step_);
  }
  if (days_ == 1) {
    return zone_.day_start(time);
  }
  return start_of_day(floor_multiple(day_of(time) - kFirstMonday, days_) + kFirstMonday);
}

Time StepGrid::next(Time start) const {
  if (days_ == 0) {
    return start + step_;
  }
  if (days_ == 1) {
    return zone_.day_end(start);
  }
  // From the date the step was to begin on, if a left out date moved its beginning.
  const std::int64_t first = floor_multiple(day_of(start) - kFirstMonday, days_) + kFirstMonday;
  return start_of_day(first + days_);
}

Time StepGrid::ceil(Time time) const {
  const Time lower = floor(time);
  return lower == time ? lower : next(lower);
}

std::optional<Duration> round_step_below(Duration most, Duration resolution) {
  std::optional<Duration> found;
  if (resolution <= most) {
    found = resolution;
  }
  for (const Duration step : kRoundSteps) {
    if (step <= most && step >= resolution && step % resolution == Duration(0)) {
      found = step;
    }
  }
  return found;
}

Duration default_step(Duration range, Duration resolution) {
  const Duration least = (range + Duration(kRowsWanted - 1)) / kRowsWanted;
  if (least <= resolution) {
    return resolution;
  }
  for (const Duration step : kRoundSteps) {
    if (step >= least && step >= resolution && step % resolution == Duration(0)) {
      return step;
    }
  }
  return kRoundSteps.back();
}

}  // namespace rollup::query
