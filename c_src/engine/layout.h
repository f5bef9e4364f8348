// Rows: the parts of a stretch side by side in as few bytes as they need. Which parts, a layout
// says; rows themselves say nothing. Times in a row are milliseconds since the row's start, so a
// row is at most kRowSpanMax long.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/time.h"
#include "model/aggregate.h"
#include "model/parts.h"

namespace rollup::engine {

inline constexpr Duration kRowSpanMax = std::chrono::hours(24 * 40);

class Layout {
 public:
  explicit Layout(Parts parts) : parts_(parts | kPresence) {
    std::size_t offset = 0;
    const auto place = [&](Parts part, std::size_t size) {
      if (has(part)) {
        offsets_[index_of(part)] = static_cast<std::uint8_t>(offset);
        offset += size;
      }
    };
    place(kPresence, sizeof(Presence<Narrow>));
    place(kHeld, sizeof(Held<Narrow>));
    place(kMoments, sizeof(Moments<Narrow>));
    place(kRange, sizeof(Range<Narrow>));
    place(kEnds, sizeof(Ends<Narrow>));
    place(kIncrease, sizeof(Increase));
    size_ = offset;
  }

  Parts parts() const { return parts_; }
  std::size_t size() const { return size_; }  // bytes of a row; a multiple of 8

  // Makes a row that knows nothing.
  void clear(std::byte* row) const { store(row, Aggregate(parts_), Time{}); }

  bool is_empty(const std::byte* row) const {
    const auto presence = get<Presence<Narrow>>(row, kPresence);
    return presence.count == 0 && presence.known == 0;
  }

  // `since_start`: the sample's time in the row.
  void add_sample(std::byte* row, Duration since_start, double value) const {
    auto presence = get<Presence<Narrow>>(row, kPresence);
    change<Moments<Narrow>>(row, kMoments,
                            [&](auto& part) { part.add_sample(presence.count, value); });
    change<Range<Narrow>>(row, kRange, [&](auto& part) { part.add(value); });
    change<Ends<Narrow>>(row, kEnds, [&](auto& part) {
      part.add_sample(presence.count, static_cast<std::uint32_t>(since_start.count()), value);
    });
    ++presence.count;
    put(row, kPresence, presence);
  }

  // Adds `value` held for `held` (> 0).
  void add_held(std::byte* row, double value, Duration held) const {
    change<Presence<Narrow>>(row, kPresence, [&](auto& part) {
      part.known += static_cast<std::uint32_t>(held.count());
    });
    change<Held<Narrow>>(
        row, kHeld, [&](auto& part) { part.add_held(value, static_cast<double>(held.count())); });
    change<Range<Narrow>>(row, kRange, [&](auto& part) { part.add(value); });
  }

  // See Aggregate::add_increase().
  void add_increase(std::byte* row, const Increase& counted) const {
    change<Increase>(row, kIncrease, [&](auto& part) { part.merge(counted); });
  }

  // The row as what can be calculated with, and back. `start`: the row's.
  Aggregate load(const std::byte* row, Time start) const {
    Aggregate to(parts_);
    const auto presence = get<Presence<Narrow>>(row, kPresence);
    to.known = Duration{presence.known};
    to.count = presence.count;
    if (has(kHeld)) {
      to.integral = get<Held<Narrow>>(row, kHeld).integral;
    }
    if (has(kMoments)) {
      const auto part = get<Moments<Narrow>>(row, kMoments);
      to.sum = part.sum;
      to.m2 = part.m2;
    }
    if (has(kRange)) {
      const auto part = get<Range<Narrow>>(row, kRange);
      to.min = part.min;
      to.max = part.max;
    }
    if (has(kEnds) && presence.count > 0) {
      const auto part = get<Ends<Narrow>>(row, kEnds);
      to.first = part.first;
      to.last = part.last;
      to.first_time = start + Duration{part.first_time};
      to.last_time = start + Duration{part.last_time};
    }
    if (has(kIncrease)) {
      const auto part = get<Increase>(row, kIncrease);
      to.increase = part.increase;
      to.resets = part.resets;
    }
    return to;
  }
  void store(std::byte* row, const Aggregate& from, Time start) const {
    put(row, kPresence,
        Presence<Narrow>{static_cast<std::uint32_t>(from.known.count()),
                         static_cast<std::uint32_t>(from.count)});
    put(row, kHeld, Held<Narrow>{from.integral});
    put(row, kMoments, Moments<Narrow>{from.sum, from.m2});
    put(row, kRange, Range<Narrow>{from.min, from.max});
    const auto since = [&](Time time) {
      return from.count == 0 ? 0 : static_cast<std::uint32_t>((time - start).count());
    };
    put(row, kEnds,
        Ends<Narrow>{from.first, from.last, since(from.first_time), since(from.last_time)});
    put(row, kIncrease, Increase{from.increase, from.resets});
  }

 private:
  static constexpr std::size_t index_of(Parts part) {
    return static_cast<std::size_t>(std::countr_zero(part));
  }
  bool has(Parts part) const { return has_all(parts_, part); }

  template <class Part>
  Part get(const std::byte* row, Parts part) const {
    Part value;
    std::memcpy(&value, row + offsets_[index_of(part)], sizeof value);
    return value;
  }
  // These two do nothing where the row has no such part.
  template <class Part>
  void put(std::byte* row, Parts part, const Part& value) const {
    if (has(part)) {
      std::memcpy(row + offsets_[index_of(part)], &value, sizeof value);
    }
  }
  template <class Part, class Change>
  void change(std::byte* row, Parts part, const Change& change) const {
    if (has(part)) {
      Part value = get<Part>(row, part);
      change(value);
      put(row, part, value);
    }
  }

  Parts parts_;
  std::array<std::uint8_t, 8> offsets_{};
  std::size_t size_ = 0;
};

}  // namespace rollup::engine
