// Times and durations, in milliseconds, as every part of the program uses them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace rollup {

using Duration = std::chrono::milliseconds;

// Wall clock time, UTC, since the epoch. A label, and the measure of buckets (SEMANTICS 1.1).
using Time = std::chrono::sys_time<Duration>;

// The present as the shell read it; the core never reads a clock itself.
struct Now {
  // The wall clock. May jump in both directions.
  Time wall;
  // How long the program has run, summed over all its runs on this history file: it never goes
  // back and does not count the time the program was down, so a timer that is kept as an uptime
  // survives a restart with the meaning SEMANTICS 6.6 asks for.
  Duration uptime{0};

  friend bool operator==(const Now&, const Now&) = default;
};

constexpr Time time_from_ms(std::int64_t ms) { return Time{Duration{ms}}; }
constexpr std::int64_t to_ms(Time time) { return time.time_since_epoch().count(); }

// The largest multiple of `step` (> 0) since the epoch that is not after `time`; also right before
// 1970.
constexpr Time floor_to(Time time, Duration step) {
  const std::int64_t ms = to_ms(time);
  const std::int64_t size = step.count();
  const std::int64_t rest = ms % size;
  return time_from_ms(ms - (rest < 0 ? rest + size : rest));
}

// The smallest multiple of `step` (> 0) since the epoch that is not before `time`.
constexpr Time ceil_to(Time time, Duration step) {
  const Time lower = floor_to(time, step);
  return lower == time ? lower : lower + step;
}

// The present as it was when the wall clock showed `wall`, which lies back: not before `done`, what
// was already worked with, and not after `now`.
constexpr Now at_wall(Time wall, const Now& now, const Now& done) {
  wall = std::clamp(wall, std::min(done.wall, now.wall), now.wall);
  return {wall, std::clamp(now.uptime - (now.wall - wall), std::min(done.uptime, now.uptime),
                           now.uptime)};
}

}  // namespace rollup
