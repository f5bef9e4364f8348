// A time zone for day buckets, schedules and printed times.
//
// Looking a zone up reads files, so the shell does it; the core is handed the Zone and only
// calculates. Copyable, cheap, thread-safe to read; the zone database lives as long as the program.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"

namespace date {
class time_zone;
}

namespace rollup {

class Zone {
 public:
  // UTC, without touching the zone database.
  Zone() = default;

  // The IANA zone `name`, e.g. "Europe/Berlin"; "" is the machine's zone. Reads files.
  // Error bad_config, place "timezone".
  static Result<Zone> locate(std::string_view name);

  std::string name() const;

  // The local midnight that begins the day `time` lies in. Where a clock change skips midnight, the
  // first instant of the day; where it comes twice, the earlier.
  Time day_start(Time time) const;

  // The local midnight that ends that day; 23, 24 or 25 hours after day_start (SEMANTICS 1.2).
  Time day_end(Time time) const;

  // Local wall time "2026-04-04 12:03", or "12:03" alone, for people.
  std::string format_local(Time time) const;
  std::string format_local_clock(Time time) const;

 private:
  const date::time_zone* zone_ = nullptr;
};

}  // namespace rollup
