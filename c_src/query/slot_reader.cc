#include "query/slot_reader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"

namespace rollup::query {
namespace {

constexpr Duration kHour = std::chrono::hours(1);

// Buckets belong to the slot that their middle lies in. For tiers that tile the slots this is the
// slot that holds them; it is also an answer for buckets of an earlier resolution or time zone.
Time middle_of(const Bucket& bucket) { return bucket.start + (bucket.end - bucket.start) / 2; }

// When knowledge began in the first bucket of a series: at its first sample, unless something was
// held before.
Time beginning_of(const Bucket& bucket) {
  const Aggregate& aggregate = bucket.aggregate;
  const bool began_inside =
      aggregate.count > 0 && aggregate.known <= bucket.end - aggregate.first_time;
  return began_inside ? std::max(aggregate.first_time, bucket.start) : bucket.start;
}

bool knows_more(const Aggregate& left, const Aggregate& right) {
  return std::pair(left.known, left.count) > std::pair(right.known, right.count);
}

}  // namespace

std::vector<Tier> SlotReader::tiers_for(std::span<const Slot> slots, bool has_local_days) const {
  const StreamIndex stream = engine_.series(series_).stream;
  const auto& keep = engine_.plan().streams[stream].config.keep;
  const auto is_kept = [&keep](Tier tier) {
    return keep[static_cast<std::size_t>(tier)] > Duration(0);
  };
  const bool is_hourly = std::all_of(slots.begin(), slots.end(), [](const Slot& slot) {
    return floor_to(slot.start, kHour) == slot.start && floor_to(slot.end, kHour) == slot.end;
  });
  std::vector<Tier> tiers;
  if (has_local_days && is_kept(Tier::day)) {
    tiers.push_back(Tier::day);
  }
  if (is_hourly && is_kept(Tier::hour)) {
    tiers.push_back(Tier::hour);
  }
  // What is open can be read from the engine, kept or not.
  if (tiers.empty() || is_kept(Tier::fine)) {
    tiers.push_back(Tier::fine);
  }
  return tiers;
}

Result<std::size_t> SlotReader::read_tier(Tier tier, std::span<Slot> slots) {
  const Time from = slots.front().start;
  const Time to = slots.back().end;
  std::size_t done = slots.size();
  std::size_t index = 0;
  const auto take = [&](const Bucket& bucket) {
    const Time middle = middle_of(bucket);
    while (index < slots.size() && middle >= slots[index].end) {
      ++index;
    }
    if (index == slots.size()) {
      return false;
    }
    if (buckets_left_ == 0) {
      done = std::min(done, index);
      return false;
    }
    --buckets_left_;
    // What was kept while the series was of another kind says nothing of this one.
    if (middle >= slots[index].start && bucket.aggregate.has(slots[index].aggregate.parts)) {
      slots[index].aggregate.merge(bucket.aggregate);
    }
    return true;
  };
  if (Result<void> read = history_.read(engine_.key(series_), tier, from, to, take); !read) {
    return tl::unexpected(read.error());
  }
  index = 0;
  for (const Bucket& bucket : engine_.open_buckets(series_, tier, from, to, now_)) {
    if (!take(bucket)) {
      break;
    }
  }
  return done;
}

Result<Time> SlotReader::find_beginning(Time to) const {
  Time began = to;
  for (const Tier tier : {Tier::day, Tier::hour, Tier::fine}) {
    const auto take_first = [&began](const Bucket& bucket) {
      began = std::min(began, beginning_of(bucket));
      return false;
    };
    if (Result<void> read =
            history_.read(engine_.key(series_), tier, time_from_ms(0), to, take_first);
        !read) {
      return tl::unexpected(read.error());
    }
    const std::vector<Bucket> open = engine_.open_buckets(series_, tier, time_from_ms(0), to, now_);
    if (!open.empty()) {
      take_first(open.front());
    }
  }
  return began;
}

Duration SlotReader::expected(const Slot& slot) const {
  const Time start = std::max(slot.start, began_);
  const Time end = std::min(slot.end, now_.wall);
  return std::max(end - start, Duration(0));
}

bool SlotReader::is_known(const Slot& slot) const {
  return !slot.aggregate.empty() && !is_weak(slot);
}

Result<std::size_t> SlotReader::fill(std::span<Slot> slots, bool has_local_days) {
  ROLLUP_CHECK(!slots.empty());
  const std::vector<Tier> tiers = tiers_for(slots, has_local_days);
  Result<std::size_t> done = read_tier(tiers.front(), slots);
  if (!done) {
    return done;
  }
  const auto weak = [this](const Slot& slot) { return is_weak(slot); };
  slots = slots.first(*done);
  if (std::any_of(slots.begin(), slots.end(), weak)) {
    const Result<Time> began = find_beginning(slots.back().end);
    if (!began) {
      return tl::unexpected(began.error());
    }
    began_ = *began;
  }
  // Where the coarse tier knows too little, perhaps because it was not kept all the time, a finer
  // one may know more.
  for (std::size_t tier = 1; tier < tiers.size(); ++tier) {
    auto begin = std::find_if(slots.begin(), slots.end(), weak);
    while (begin != slots.end()) {
      const auto end = std::find_if_not(begin, slots.end(), weak);
      std::vector<Slot> finer(begin, end);
      for (Slot& slot : finer) {
        slot.aggregate = Aggregate(slot.aggregate.parts);
      }
      Result<std::size_t> read = read_tier(tiers[tier], finer);
      if (!read) {
        return read;
      }
      for (std::size_t index = 0; index < *read; ++index) {
        Slot& slot = *(begin + static_cast<std::ptrdiff_t>(index));
        if (knows_more(finer[index].aggregate, slot.aggregate)) {
          slot = finer[index];
        }
      }
      if (*read < finer.size()) {
        slots = slots.first(static_cast<std::size_t>(begin - slots.begin()) + *read);
        break;
      }
      begin = std::find_if(end, slots.end(), weak);
    }
  }
  return slots.size();
}

}  // namespace rollup::query
