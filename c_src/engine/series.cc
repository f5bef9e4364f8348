#include "engine/series.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace rollup::engine {

namespace {

constexpr auto kByTime = [](const Point& point, Time time) { return point.time < time; };
constexpr auto kByStart = [](const Bucket& bucket, Time time) { return bucket.start < time; };

double power_of_ten(int exponent) {
  double power = 1;
  for (int i = 0; i < exponent; ++i) {
    power *= 10;
  }
  return power;
}

}  // namespace

Series::Series(const Timing& timing) : timing_(&timing) {}

const Series::Active& Series::active() const {
  static const Active kNothing;
  return active_ == nullptr ? kNothing : *active_;
}

Series::Active& Series::activate() {
  if (active_ == nullptr) {
    active_ = std::make_unique<Active>();
    active_->rings.reserve(timing_->rings.size());
    for (const RingPlan& ring : timing_->rings) {
      active_->rings.emplace_back(ring.slot, ring.length);
    }
  }
  return *active_;
}

Series::Taken Series::observe(Time time, double value) {
  if (time < sealed_until_) {
    return Taken::too_late;
  }
  note_decimals(value);
  if (count_ == 0) {
    began_ = time;
  }
  if (time < integrated_ || (count_ > 0 && timing_->has_event_time && time == last_.time)) {
    return insert(time, value);
  }
  // By what was known while the series was silent: the new interval comes after (SEMANTICS 2.1).
  hold_to(time);
  if (count_ > 0 && !timing_->hold) {
    intervals_.add(time - last_.time);
  }
  ++count_;
  last_ = {time, value};
  Active& active = activate();
  active.samples.push_back(last_);
  if (!needs_settle()) {
    bucket_at(active.buckets, timing_->resolution, time).aggregate.add_sample(time, value);
  }
  return Taken::newest;
}

Series::Taken Series::insert(Time time, double value) {
  began_ = std::min(began_, time);
  dirty_from_ = std::min(dirty_from_, time);
  std::vector<Point>& samples = activate().samples;
  auto place = std::lower_bound(samples.begin(), samples.end(), time, kByTime);
  if (timing_->has_event_time && place != samples.end() && place->time == time) {
    place->value = value;  // SEMANTICS 1.5: the later arrival replaces the earlier
  } else {
    place = std::upper_bound(place, samples.end(), time,
                             [](Time t, const Point& point) { return t < point.time; });
    place = samples.insert(place, {time, value});
    ++count_;
  }
  if (std::next(place) != samples.end()) {
    return Taken::late;
  }
  if (!timing_->hold && count_ > 1 && time > last_.time) {
    intervals_.add(time - last_.time);
  }
  last_ = *place;
  return Taken::newest;
}

void Series::observe_retained(double value) {
  note_decimals(value);
  if (count_ == 0) {
    retained_ = value;
  }
}

void Series::hold_to(Time time) {
  if (time <= integrated_) {
    return;
  }
  const Time until = std::min(time, last_.time + hold());
  if (count_ > 0 && !needs_settle() && integrated_ < until) {
    add_held(activate().buckets, timing_->resolution, last_.value, integrated_, until);
  }
  integrated_ = time;
}

Series::Settled Series::settle() {
  if (!needs_settle()) {
    return {};
  }
  std::vector<Point>& samples = activate().samples;
  std::vector<Bucket>& buckets = activate().buckets;
  const Duration resolution = timing_->resolution;
  const Duration hold = this->hold();
  const Time from = std::max(floor_to(dirty_from_, resolution), sealed_until_);
  const bool has_new_first = dirty_from_ == began_;
  dirty_from_ = kClean;

  // After a change of the resolution the first bucket may begin in what is sealed.
  const Time first_start = floor_to(from, resolution);
  const auto first = std::lower_bound(buckets.begin(), buckets.end(), first_start, kByStart);
  const std::vector<Bucket> old(first, buckets.end());
  buckets.erase(first, buckets.end());

  auto sample = std::lower_bound(samples.begin(), samples.end(), from, kByTime);
  Point held{from, 0};
  Time held_until = from;  // nothing is held into `from` unless a sample stands before it
  if (sample != samples.begin()) {
    held = *std::prev(sample);
    held_until = held.time + hold;
  }
  Time done = from;
  for (; sample != samples.end(); ++sample) {
    add_held(buckets, resolution, held.value, done, std::min(sample->time, held_until));
    bucket_at(buckets, resolution, sample->time).aggregate.add_sample(sample->time, sample->value);
    held = *sample;
    held_until = held.time + hold;
    done = held.time;
  }
  add_held(buckets, resolution, held.value, done, std::min(integrated_, held_until));

  Settled settled;
  settled.changed = take_revs(old, first_start);
  if (has_new_first && !old.empty() && old.front().aggregate.known > Duration{0} &&
      began_ < old.front().aggregate.first_time) {
    settled.began = old.front().aggregate.first_time;
  }
  return settled;
}

std::vector<Series::Span> Series::take_revs(const std::vector<Bucket>& old, Time first_start) {
  std::vector<Span> changed;
  const auto change = [&](const Bucket& bucket) {
    if (changed.empty() || changed.back().end != bucket.start) {
      changed.push_back({bucket.start, bucket.end});
    }
    changed.back().end = bucket.end;
  };
  std::vector<Bucket>& buckets = activate().buckets;
  auto was = old.begin();
  for (auto bucket = std::lower_bound(buckets.begin(), buckets.end(), first_start, kByStart);
       bucket != buckets.end(); ++bucket) {
    for (; was != old.end() && was->start < bucket->start; ++was) {
      change(*was);  // nothing is known of it any more: `hold: auto` has become shorter
    }
    if (was != old.end() && was->start == bucket->start) {
      bucket->rev = was->rev;
      const bool is_same = bucket->aggregate == was->aggregate;
      ++was;
      if (is_same) {
        continue;
      }
      if (bucket->rev > 0) {
        ++bucket->rev;
      }
    }
    change(*bucket);
  }
  for (; was != old.end(); ++was) {
    change(*was);
  }
  return changed;
}

void Series::publish_to(Time end, Time made_anew) {
  if (active_ == nullptr) {
    return;
  }
  std::vector<Bucket>& buckets = active_->buckets;
  for (auto bucket = buckets.rbegin(); bucket != buckets.rend(); ++bucket) {
    if (bucket->rev > 0 && bucket->start < made_anew) {
      return;
    }
    if (bucket->end <= end && bucket->rev == 0) {
      bucket->rev = 1;
    }
  }
}

void Series::seal_to(Time end, SeriesId id, Effects& effects) {
  if (end <= sealed_until_) {
    return;
  }
  hold_to(end);
  settle();
  if (active_ == nullptr) {
    sealed_until_ = end;
    return;
  }
  std::vector<Bucket>& buckets = active_->buckets;
  auto bucket = buckets.begin();
  for (; bucket != buckets.end() && bucket->end <= end; ++bucket) {
    close_tiers(bucket->start, id, effects);
    bucket->rev = std::max(bucket->rev, 1U);
    for (Ring& ring : active_->rings) {
      ring.add(bucket->start, bucket->aggregate);
    }
    merge_into_tier(active_->hour, Tier::hour, *bucket);
    merge_into_tier(active_->day, Tier::day, *bucket);
    if (timing_->keeps[static_cast<std::size_t>(Tier::fine)]) {
      effects.push_back(effect::SealBucket{id, Tier::fine, *bucket});
    }
  }
  buckets.erase(buckets.begin(), bucket);
  close_tiers(end, id, effects);

  std::vector<Point>& samples = active_->samples;
  const auto first_open = std::lower_bound(samples.begin(), samples.end(), end, kByTime);
  if (timing_->keeps[static_cast<std::size_t>(Tier::raw)]) {
    const auto first_new = std::lower_bound(samples.begin(), first_open, sealed_until_, kByTime);
    if (first_new != first_open) {
      effects.push_back(effect::SealPoints{id, std::vector<Point>(first_new, first_open)});
    }
  }
  if (first_open != samples.begin()) {
    samples.erase(samples.begin(), std::prev(first_open));
  }
  sealed_until_ = end;
}

void Series::merge_into_tier(Bucket& tier_bucket, Tier tier, const Bucket& bucket) {
  if (tier_bucket.aggregate.empty()) {
    const auto [start, end] = tier_bounds(tier, bucket.start);
    tier_bucket = Bucket{start, end, 1, {}};
  }
  tier_bucket.aggregate.merge(bucket.aggregate);
}

void Series::close_tiers(Time end, SeriesId id, Effects& effects) {
  for (const auto& [tier, bucket] :
       {std::pair{Tier::hour, &active_->hour}, std::pair{Tier::day, &active_->day}}) {
    if (bucket->aggregate.empty() || bucket->end > end) {
      continue;
    }
    if (timing_->keeps[static_cast<std::size_t>(tier)]) {
      effects.push_back(effect::SealBucket{id, tier, *bucket});
    }
    *bucket = Bucket{};
  }
}

std::pair<Time, Time> Series::tier_bounds(Tier tier, Time time) const {
  if (tier == Tier::day) {
    return {timing_->zone.day_start(time), timing_->zone.day_end(time)};
  }
  const Time start = floor_to(time, std::chrono::hours(1));
  return {start, start + std::chrono::hours(1)};
}

Aggregate Series::window(Time start, Time end, Duration slot, Time now) const {
  Aggregate known = sealed_window(start, end, slot);
  add_open(known, start, end, now);
  return known;
}

Aggregate Series::recent(Duration over, Time now) const {
  const Duration resolution = timing_->resolution;
  const Time start = floor_to(now - over, resolution);
  const Time end = std::max(now, last_.time + Duration{1});
  if (active_ == nullptr) {
    return window(start, end, resolution, now);
  }
  std::vector<Merged>& merged = active_->merged;
  auto found = std::find_if(merged.begin(), merged.end(),
                            [over](const Merged& each) { return each.over == over; });
  if (found == merged.end()) {
    found = merged.insert(found, Merged{over, {}, Time::min(), {}});
  }
  // Nothing is sealed after `end`: lateness is at least 0.
  if (found->start != start || found->sealed_until != sealed_until_) {
    *found = Merged{over, start, sealed_until_, sealed_window(start, end, resolution)};
  }
  Aggregate known = found->known;
  add_open(known, start, end, now);
  return known;
}

void Series::add_open(Aggregate& known, Time start, Time end, Time now) const {
  const std::vector<Bucket>& buckets = active().buckets;
  for (auto bucket = std::lower_bound(buckets.begin(), buckets.end(), start, kByStart);
       bucket != buckets.end() && bucket->start < end; ++bucket) {
    known.merge(bucket->aggregate);
  }
  if (count_ > 0) {
    const Time from = std::max(integrated_, start);
    const Time to = std::min({end, now, last_.time + hold()});
    known.add_held(last_.value, to - from);
  }
}

Aggregate Series::sealed_window(Time start, Time end, Duration slot) const {
  Aggregate known;
  for (const Ring& ring : active().rings) {
    if (ring.slot() == slot) {
      ring.merge_into(known, start, end);
    }
  }
  return known;
}

bool Series::was_published(Time start, Time end, Duration slot) const {
  const std::vector<Bucket>& buckets = active().buckets;
  for (auto bucket = std::lower_bound(buckets.begin(), buckets.end(), start, kByStart);
       bucket != buckets.end() && bucket->start < end; ++bucket) {
    if (bucket->rev > 0) {
      return true;
    }
  }
  return !sealed_window(start, end, slot).empty();
}

std::vector<Bucket> Series::open_fine(Time from, Time to, Time now) const {
  const Duration resolution = timing_->resolution;
  std::vector<Bucket> open = active().buckets;
  if (count_ > 0) {
    const Time until = std::min({to, now, last_.time + hold()});
    add_held(open, resolution, last_.value, std::max(integrated_, sealed_until_), until);
  }
  std::erase_if(open, [&](const Bucket& b) { return b.end <= from || b.start >= to; });
  return open;
}

std::vector<Bucket> Series::open_coarse(Tier tier, Time from, Time to, Time now) const {
  std::vector<Bucket> coarse;
  const Bucket& sealed = tier == Tier::hour ? active().hour : active().day;
  if (!sealed.aggregate.empty()) {
    coarse.push_back(sealed);
  }
  for (const Bucket& fine : open_fine(Time::min(), to, now)) {
    if (coarse.empty() || fine.start >= coarse.back().end) {
      const auto [start, end] = tier_bounds(tier, fine.start);
      coarse.push_back(Bucket{start, end, 0, {}});
    }
    coarse.back().aggregate.merge(fine.aggregate);
  }
  std::erase_if(coarse, [&](const Bucket& b) { return b.end <= from || b.start >= to; });
  return coarse;
}

std::optional<double> Series::held_at(Time time, bool inclusive) const {
  const std::vector<Point>& samples = active().samples;
  const Point* held = nullptr;
  if (count_ > 0 && (last_.time < time || (inclusive && last_.time == time))) {
    held = &last_;
  } else {
    auto after = inclusive ? std::upper_bound(samples.begin(), samples.end(), time,
                                              [](Time t, const Point& p) { return t < p.time; })
                           : std::lower_bound(samples.begin(), samples.end(), time, kByTime);
    if (after != samples.begin()) {
      held = &*std::prev(after);
    }
  }
  if (held == nullptr || (time - held->time >= hold() && held->time != time)) {
    return std::nullopt;
  }
  return held->value;
}

std::optional<Time> Series::held_until() const {
  return count_ == 0 ? std::nullopt : std::optional(last_.time + hold());
}

Time Series::known_until() const { return std::max(last_.time + hold(), last_.time + Duration{1}); }

void Series::rest() {
  if (count_ > 0) {
    integrated_ = last_.time + hold();
  }
  active_.reset();
}

bool Series::is_quiet() const {
  const Active& active = this->active();
  return active.buckets.empty() && !needs_settle() && active.hour.aggregate.empty() &&
         active.day.aggregate.empty() && (count_ == 0 || last_.time + hold() <= integrated_);
}

Bucket& Series::bucket_at(std::vector<Bucket>& buckets, Duration resolution, Time time) {
  if (buckets.empty() || time >= buckets.back().end) {
    const Time start = floor_to(time, resolution);
    buckets.push_back(Bucket{start, start + resolution, 0, {}});
  }
  return buckets.back();
}

void Series::add_held(std::vector<Bucket>& buckets, Duration resolution, double value, Time from,
                      Time to) {
  while (from < to) {
    Bucket& bucket = bucket_at(buckets, resolution, from);
    const Time end = std::min(to, bucket.end);
    bucket.aggregate.add_held(value, end - from);
    from = end;
  }
}

void Series::note_decimals(double value) {
  const double scaled = value * decimal_scale_;
  // Within rounding of a whole number: the decimals known so far can write it.
  if (std::abs(scaled - std::nearbyint(scaled)) <= 1e-9 * std::max(1.0, std::abs(scaled))) {
    return;
  }
  decimals_ = decimals_of(value, decimals_);
  decimal_scale_ = power_of_ten(decimals_);
}

}  // namespace rollup::engine
