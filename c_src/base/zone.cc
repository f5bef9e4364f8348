#include "base/zone.h"

#include <date/tz.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "base/text.h"

namespace rollup {

namespace {

using std::chrono::floor;
using std::chrono::seconds;

// date's calendar types rather than the standard ones, because its zones speak them.
date::sys_info info_at(const date::time_zone* zone, Time time) {
  return zone->get_info(floor<seconds>(time));
}

date::local_time<Duration> to_local(const date::time_zone* zone, Time time) {
  const seconds offset = zone == nullptr ? seconds{0} : info_at(zone, time).offset;
  return date::local_time<Duration>{time.time_since_epoch() + offset};
}

// The first instant whose local date is `day` or later, but for dates that come back (see day_of).
Time midnight(const date::time_zone* zone, date::local_days day) {
  const seconds local = day.time_since_epoch();
  if (zone == nullptr) {
    return Time{local};
  }
  const date::local_info info = zone->get_info(date::local_seconds{local});
  if (info.result == date::local_info::nonexistent) {
    return info.first.end;
  }
  return Time{local - info.first.offset};
}

// The local day that `time` lies in. Where a clock is put back over midnight some instants after
// the new day began carry the old date again; they belong to the new day, so that days do not
// overlap.
date::local_days day_of(const date::time_zone* zone, Time time) {
  date::local_days day = floor<date::days>(to_local(zone, time));
  while (midnight(zone, day + date::days{1}) <= time) {
    day += date::days{1};
  }
  return day;
}

std::vector<std::string> zone_names() {
  std::vector<std::string> names;
  for (const date::time_zone& zone : date::get_tzdb().zones) {
    names.push_back(zone.name());
  }
  return names;
}

}  // namespace

Result<Zone> Zone::locate(std::string_view name) {
  Zone result;
  // The library reports with exceptions; this is where they end.
  try {
    result.zone_ = name.empty() ? date::current_zone() : date::locate_zone(std::string(name));
    // A zone's file is read at its first use, which must not happen in the core.
    static_cast<void>(info_at(result.zone_, Time{}));
    return result;
  } catch (const std::exception& exception) {
    if (name.empty()) {
      return fail(ErrorCode::bad_config, "timezone",
                  std::string("the machine's time zone cannot be found, set this option (") +
                      exception.what() + ")");
    }
  }
  std::string message = "no time zone is called '" + std::string(name) + "'";
  std::string nearest;
  try {
    nearest = nearest_name(name, zone_names());
  } catch (const std::exception& exception) {
    message += std::string(" (") + exception.what() + ")";
  }
  message += nearest.empty() ? ", expected an IANA name as Europe/Berlin"
                             : ", did you mean '" + nearest + "'?";
  return fail(ErrorCode::bad_config, "timezone", std::move(message));
}

std::string Zone::name() const { return zone_ == nullptr ? "UTC" : zone_->name(); }

Time Zone::day_start(Time time) const { return midnight(zone_, day_of(zone_, time)); }

Time Zone::day_end(Time time) const { return midnight(zone_, day_of(zone_, time) + date::days{1}); }

std::string Zone::format_local(Time time) const {
  const date::year_month_day day{floor<date::days>(to_local(zone_, time))};
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u ", static_cast<int>(day.year()),
                static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
  return text.data() + format_local_clock(time);
}

std::string Zone::format_local_clock(Time time) const {
  const auto local = to_local(zone_, time);
  const auto minutes = floor<std::chrono::minutes>(local - floor<date::days>(local)).count();
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%02d:%02d", static_cast<int>(minutes / 60),
                static_cast<int>(minutes % 60));
  return text.data();
}

}  // namespace rollup
