#include "property/naive_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <map>

namespace rollup::testing {

namespace {

constexpr Duration kQuarter = std::chrono::minutes(15);  // of which all midnights are multiples

// The local date at `time`, as the C library counts it.
std::array<int, 3> date_of(Time time) {
  const std::time_t seconds = to_ms(time) / 1000;
  std::tm local{};
  localtime_r(&seconds, &local);
  return {local.tm_year, local.tm_mon, local.tm_mday};
}

// The stretch of equal local dates around `time`.
std::pair<Time, Time> find_day(const std::string& timezone, Time time) {
  setenv("TZ", timezone.empty() ? "UTC" : timezone.c_str(), 1);
  tzset();
  const auto date = date_of(time);
  Time start = floor_to(time, kQuarter);
  while (date_of(start - kQuarter) == date) {
    start -= kQuarter;
  }
  Time end = floor_to(time, kQuarter) + kQuarter;
  while (date_of(end) == date) {
    end += kQuarter;
  }
  return {start, end};
}

}  // namespace

NaiveModel::Verdict NaiveModel::observe(Time time, double value, Time now) {
  if (time > now + std::chrono::seconds(60)) {
    return Verdict::future;  // SEMANTICS 1.4
  }
  const Time bucket_end = floor_to(time, rules_.resolution) + rules_.resolution;
  if (bucket_end + rules_.lateness <= now) {
    return Verdict::too_late;  // SEMANTICS 1.3
  }
  const auto place = std::find_if(samples_.begin(), samples_.end(),
                                  [&](const Point& point) { return point.time >= time; });
  if (rules_.has_event_time && place != samples_.end() && place->time == time) {
    place->value = value;  // SEMANTICS 1.5
    return Verdict::accepted;
  }
  const auto after = std::find_if(samples_.begin(), samples_.end(),
                                  [&](const Point& point) { return point.time > time; });
  samples_.insert(after, {time, value});
  return Verdict::accepted;
}

std::vector<Increase> NaiveModel::increases() const {
  std::vector<Increase> all(samples_.size());
  double base = samples_.empty() ? 0 : samples_[0].value;
  const double size = rules_.reset == Reset::wrap32   ? std::pow(2.0, 32)
                      : rules_.reset == Reset::wrap64 ? std::pow(2.0, 64)
                                                      : 0;
  // From `base` to a value, without a look at what follows.
  const auto step = [&](double value) {
    Increase counted;
    if (value >= base) {
      counted.increase = value - base;
    } else if (value >= 0.9 * base) {
      return counted;
    } else if (base > size / 2 && base < size) {
      counted.increase = size - base + value;
    } else {
      counted = {value, 1};
    }
    base = value;
    return counted;
  };
  for (std::size_t i = 1; i < samples_.size();) {
    const double before = base;
    if (samples_[i].value >= 0.01 * before) {
      all[i].merge(step(samples_[i].value));
      ++i;
      continue;
    }
    // A fall to nothing: what counts is told with the first sample after the time to return in.
    const Time until = samples_[i].time + std::min<Duration>(rules_.hold, std::chrono::hours(1));
    Increase counted;
    for (; i < samples_.size() && samples_[i].time <= until; ++i) {
      if (samples_[i].value >= 0.9 * before) {
        counted = {};
        base = before;
        break;
      }
      counted.merge(step(samples_[i].value));
    }
    if (i < samples_.size()) {
      all[i].merge(counted);
    }
  }
  return all;
}

Aggregate NaiveModel::window(Time from, Time to, Time now) const {
  Aggregate known(parts_of(rules_.kind));
  const std::vector<Increase> counted =
      rules_.kind == Kind::counter ? increases() : std::vector<Increase>(samples_.size());
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    const Point& point = samples_[i];
    if (point.time >= from && point.time < to) {
      known.add_sample(point.time, point.value);
      known.add_increase(counted[i]);
    }
    // SEMANTICS 2.1: it holds until the next sample, at most `hold`.
    const bool has_next = i + 1 < samples_.size();
    const Time next = has_next ? samples_[i + 1].time : now;
    const Time held_from = std::max(point.time, from);
    const Time held_to = std::min({next, point.time + rules_.hold, to});
    known.add_held(point.value, held_to - held_from);
  }
  return known;
}

void NaiveModel::observe_retained(double value) {
  if (samples_.empty()) {
    retained_ = value;
  }
}

std::optional<double> NaiveModel::newest() const {
  return samples_.empty() ? retained_ : std::optional(samples_.back().value);
}

bool NaiveModel::is_held(Time now) const {
  return !samples_.empty() &&
         (now <= samples_.back().time || now < samples_.back().time + rules_.hold);
}

std::optional<double> NaiveModel::held_before(Time end) const {
  std::optional<double> held;
  for (const Point& point : samples_) {
    if (point.time < end) {
      held = end - point.time < rules_.hold ? std::optional(point.value) : std::nullopt;
    }
  }
  return held;
}

std::pair<Time, Time> NaiveModel::bounds(Tier tier, Time time) const {
  if (tier == Tier::day) {
    // The day's length is asked for often, and found slowly.
    static std::map<std::pair<std::string, Time>, std::pair<Time, Time>> days;
    const auto [day, is_new] = days.try_emplace({rules_.timezone, floor_to(time, kQuarter)});
    if (is_new) {
      day->second = find_day(rules_.timezone, time);
    }
    return day->second;
  }
  const Duration size = tier == Tier::hour ? std::chrono::hours(1) : rules_.resolution;
  const Time start = floor_to(time, size);
  return {start, start + size};
}

std::optional<Time> NaiveModel::first_time() const {
  return samples_.empty() ? std::nullopt : std::optional(samples_.front().time);
}

}  // namespace rollup::testing
