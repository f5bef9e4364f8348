#include "engine/series.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace rollup::engine {

namespace {

constexpr auto kByTime = [](const Point& point, Time time) { return point.time < time; };

double power_of_ten(int exponent) {
  double power = 1;
  for (int i = 0; i < exponent; ++i) {
    power *= 10;
  }
  return power;
}

}  // namespace

Series::Series(const Timing& timing) : timing_(&timing) {
  if (has_all(timing.parts(), kIncrease)) {
    counted_ = std::make_unique<Counted>();
  }
}

const Series::Active& Series::active() const {
  static const Timing kNoTiming;
  static const Active kNothing(kNoTiming);
  return active_ == nullptr ? kNothing : *active_;
}

Series::Active& Series::activate() {
  if (active_ == nullptr) {
    active_ = std::make_unique<Active>(*timing_);
    active_->rings.reserve(timing_->rings.size());
    for (const Timing::RingShape& ring : timing_->rings) {
      active_->rings.emplace_back(ring.grid, ring.length);
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
    add_sample(active.rows, time, value);
  }
  return Taken::newest;
}

Series::Taken Series::insert(Time time, double value) {
  Active& active = activate();
  if (time < began_) {
    active.began_before = active.began_before.value_or(began_);
    began_ = time;
  }
  dirty_from_ = std::min(dirty_from_, time);
  std::vector<Point>& samples = active.samples;
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
    add_held(activate().rows, last_.value, integrated_, until);
  }
  integrated_ = time;
}

Series::Settled Series::settle() {
  if (!needs_settle()) {
    return {};
  }
  Active& active = activate();
  const std::vector<Point>& samples = active.samples;
  Rows& rows = active.rows;
  const Duration resolution = timing_->fine.slot;
  const Duration hold = this->hold();
  // What a counter counts depends on all samples before.
  const Time from =
      is_counter() ? sealed_until_ : std::max(floor_to(dirty_from_, resolution), sealed_until_);
  dirty_from_ = kClean;
  if (is_counter()) {
    counted_->now = counted_->sealed;
  }

  // After a change of the resolution the first bucket may begin in what is sealed.
  const std::size_t first = rows.lower_bound(floor_to(from, resolution));
  const Rows old = rows.split(first);

  auto sample = std::lower_bound(samples.begin(), samples.end(), from, kByTime);
  Point held{from, 0};
  Time held_until = from;  // nothing is held into `from` unless a sample stands before it
  if (sample != samples.begin()) {
    held = *std::prev(sample);
    held_until = held.time + hold;
  }
  Time done = from;
  for (; sample != samples.end(); ++sample) {
    add_held(rows, held.value, done, std::min(sample->time, held_until));
    add_sample(rows, sample->time, sample->value);
    held = *sample;
    held_until = held.time + hold;
    done = held.time;
  }
  add_held(rows, held.value, done, std::min(integrated_, held_until));

  Settled settled;
  settled.changed = take_revs(old, first);
  if (active.began_before && !old.empty() && old.aggregate(0).known > Duration{0}) {
    settled.began = active.began_before;
  }
  active.began_before.reset();
  return settled;
}

std::vector<Series::Span> Series::take_revs(const Rows& old, std::size_t first) {
  std::vector<Span> changed;
  const auto change = [&](const Rows& rows, std::size_t at) {
    if (changed.empty() || changed.back().end != rows.start(at)) {
      changed.push_back({rows.start(at), rows.end(at)});
    }
    changed.back().end = rows.end(at);
  };
  Rows& rows = active_->rows;
  std::size_t was = 0;
  for (std::size_t at = first; at < rows.size(); ++at) {
    for (; was < old.size() && old.start(was) < rows.start(at); ++was) {
      change(old, was);  // nothing is known of it any more: `hold: auto` has become shorter
    }
    if (was < old.size() && old.start(was) == rows.start(at)) {
      const std::uint32_t rev = old.rev(was);
      const bool is_same = rows.is_same(at, old, was);
      rows.set_rev(at, rev > 0 && !is_same ? rev + 1 : rev);
      ++was;
      if (is_same) {
        continue;
      }
    }
    change(rows, at);
  }
  for (; was < old.size(); ++was) {
    change(old, was);
  }
  return changed;
}

void Series::publish_to(Time end, Time made_anew) {
  if (active_ == nullptr) {
    return;
  }
  Rows& rows = active_->rows;
  for (std::size_t at = rows.size(); at-- > 0;) {
    if (rows.rev(at) > 0 && rows.start(at) < made_anew) {
      return;
    }
    if (rows.end(at) <= end && rows.rev(at) == 0) {
      rows.set_rev(at, 1);
    }
  }
}

void Series::seal_to(Time end, SeriesId id, Effects& effects) {
  if (end <= sealed_until_) {
    return;
  }
  hold_to(end);
  if (is_counter() && active_ != nullptr) {
    // By the hold of now, as what is sealed is counted.
    dirty_from_ = std::min(dirty_from_, sealed_until_);
  }
  settle();
  if (active_ == nullptr) {
    sealed_until_ = end;
    return;
  }
  Rows& rows = active_->rows;
  std::size_t sealed = 0;
  for (; sealed < rows.size() && rows.end(sealed) <= end; ++sealed) {
    Bucket bucket = rows.bucket(sealed);
    bucket.rev = std::max(bucket.rev, 1U);
    close_tiers(bucket.start, id, effects);
    for (Ring& ring : active_->rings) {
      ring.add(bucket.start, bucket.aggregate);
    }
    for (const Tier tier : {Tier::hour, Tier::day}) {
      if (!timing_->keeps[static_cast<std::size_t>(tier)]) {
        continue;
      }
      std::optional<Bucket> merged = coarse_bucket(tier);
      if (merged) {
        merged->aggregate.merge(bucket.aggregate);
      } else {
        const auto [tier_start, tier_end] = tier_bounds(tier, bucket.start);
        merged = Bucket{tier_start, tier_end, 1, bucket.aggregate};
      }
      put_coarse(tier, *merged);
    }
    if (timing_->keeps[static_cast<std::size_t>(Tier::fine)]) {
      effects.push_back(effect::SealBucket{id, Tier::fine, bucket});
    }
  }
  rows.erase_first(sealed);
  close_tiers(end, id, effects);

  std::vector<Point>& samples = active_->samples;
  const auto first_open = std::lower_bound(samples.begin(), samples.end(), end, kByTime);
  const auto first_new = std::lower_bound(samples.begin(), first_open, sealed_until_, kByTime);
  if (timing_->keeps[static_cast<std::size_t>(Tier::raw)] && first_new != first_open) {
    effects.push_back(effect::SealPoints{id, std::vector<Point>(first_new, first_open)});
  }
  for (auto sample = first_new; is_counter() && sample != first_open; ++sample) {
    Counter::add(counted_->sealed, sample->time, sample->value, hold(), timing_->reset);
  }
  if (first_open != samples.begin()) {
    samples.erase(samples.begin(), std::prev(first_open));
  }
  sealed_until_ = end;
}

std::optional<Bucket> Series::coarse_bucket(Tier tier) const {
  if (active_ == nullptr || coarse(tier).row.empty()) {
    return std::nullopt;
  }
  const Coarse& kept = coarse(tier);
  return Bucket{kept.start, kept.end, 1, timing_->fine.layout.load(kept.row.data(), kept.start)};
}

void Series::put_coarse(Tier tier, const Bucket& bucket) {
  Coarse& kept = coarse(tier);
  kept.start = bucket.start;
  kept.end = bucket.end;
  kept.row.resize(timing_->fine.layout.size());
  timing_->fine.layout.store(kept.row.data(), bucket.aggregate, bucket.start);
}

void Series::close_tiers(Time end, SeriesId id, Effects& effects) {
  for (const Tier tier : {Tier::hour, Tier::day}) {
    Coarse& kept = coarse(tier);
    if (kept.row.empty() || kept.end > end) {
      continue;
    }
    effects.push_back(effect::SealBucket{id, tier, *coarse_bucket(tier)});
    kept = Coarse{};
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
  const Duration resolution = timing_->fine.slot;
  const Time start = floor_to(now - over, resolution);
  const Time end = std::max(now, last_.time + Duration{1});
  if (active_ == nullptr) {
    return window(start, end, resolution, now);
  }
  std::vector<Merged>& merged = active_->merged;
  auto found = std::find_if(merged.begin(), merged.end(),
                            [over](const Merged& each) { return each.over == over; });
  if (found == merged.end()) {
    found = merged.insert(found, Merged{over, {}, Time::min(), Aggregate(parts())});
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
  const Rows& rows = active().rows;
  for (std::size_t at = rows.lower_bound(start); at < rows.size() && rows.start(at) < end; ++at) {
    known.merge(rows.aggregate(at));
  }
  if (count_ > 0) {
    const Time from = std::max(integrated_, start);
    const Time to = std::min({end, now, last_.time + hold()});
    known.add_held(last_.value, to - from);
  }
}

Aggregate Series::sealed_window(Time start, Time end, Duration slot) const {
  // A ring may keep fewer parts than the series does; it stands for all that is asked of its slot.
  const auto shape = std::find_if(timing_->rings.begin(), timing_->rings.end(),
                                  [slot](const auto& each) { return each.grid.slot == slot; });
  Aggregate known(shape == timing_->rings.end() ? parts() : shape->grid.layout.parts());
  for (const Ring& ring : active().rings) {
    if (ring.slot() == slot) {
      ring.merge_into(known, start, end);
    }
  }
  return known;
}

bool Series::was_published(Time start, Time end, Duration slot) const {
  const Rows& rows = active().rows;
  for (std::size_t at = rows.lower_bound(start); at < rows.size() && rows.start(at) < end; ++at) {
    if (rows.rev(at) > 0) {
      return true;
    }
  }
  return !sealed_window(start, end, slot).empty();
}

std::vector<Bucket> Series::open_fine(Time from, Time to, Time now) const {
  Rows rows = active_ == nullptr ? Rows(timing_->fine) : active_->rows;
  if (count_ > 0) {
    const Time until = std::min({to, now, last_.time + hold()});
    add_held(rows, last_.value, std::max(integrated_, sealed_until_), until);
  }
  std::vector<Bucket> open;
  for (std::size_t at = 0; at < rows.size(); ++at) {
    if (rows.end(at) > from && rows.start(at) < to) {
      open.push_back(rows.bucket(at));
    }
  }
  return open;
}

std::vector<Bucket> Series::open_coarse(Tier tier, Time from, Time to, Time now) const {
  std::vector<Bucket> coarse;
  if (const std::optional<Bucket> sealed = coarse_bucket(tier)) {
    coarse.push_back(*sealed);
  }
  for (const Bucket& fine : open_fine(Time::min(), to, now)) {
    if (coarse.empty() || fine.start >= coarse.back().end) {
      const auto [start, end] = tier_bounds(tier, fine.start);
      coarse.push_back(Bucket{start, end, 0, Aggregate(parts())});
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
  return active.rows.empty() && !needs_settle() && active.hour.row.empty() &&
         active.day.row.empty() && (count_ == 0 || last_.time + hold() <= integrated_);
}

void Series::add_sample(Rows& rows, Time time, double value) {
  const std::size_t at = rows.at(time);
  timing_->fine.layout.add_sample(rows.parts(at), time - rows.start(at), value);
  if (is_counter()) {
    timing_->fine.layout.add_increase(
        rows.parts(at), Counter::add(counted_->now, time, value, hold(), timing_->reset));
  }
}

void Series::add_held(Rows& rows, double value, Time from, Time to) const {
  while (from < to) {
    const std::size_t at = rows.at(from);
    const Time end = std::min(to, rows.end(at));
    timing_->fine.layout.add_held(rows.parts(at), value, end - from);
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
