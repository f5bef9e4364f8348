// Sealed fine buckets merged into slots of one size, the newest `length` of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "model/aggregate.h"

namespace rollup::engine {

// Slots are aligned to the epoch. Times must not go back between calls of add().
class Ring {
 public:
  Ring(Duration slot, std::uint32_t length) : slot_(slot), length_(length) {}

  Duration slot() const { return slot_; }

  // Merges a stretch that lies within one slot.
  void add(Time start, const Aggregate& aggregate) {
    const std::int64_t index = index_of(start);
    move_to(index);
    at(index).merge(aggregate);
  }

  // Merges into `total` the slots that begin in [from, to).
  void merge_into(Aggregate& total, Time from, Time to) const {
    visit(from, to, [&](Time, const Aggregate& slot) { total.merge(slot); });
  }

  // Calls each(start, slot) for the slots with knowledge that begin in [from, to), ascending.
  template <class Each>
  void visit(Time from, Time to, Each&& each) const {
    if (newest_ == kNone) {
      return;
    }
    const std::int64_t length = length_;
    std::int64_t index = std::max(index_of(ceil_to(from, slot_)), newest_ - length + 1);
    for (; index <= newest_ && start_of(index) < to; ++index) {
      const Aggregate& slot = slots_[position(index)];
      if (!slot.empty()) {
        each(start_of(index), slot);
      }
    }
  }

 private:
  static constexpr std::int64_t kNone = INT64_MIN;

  std::int64_t index_of(Time time) const { return to_ms(floor_to(time, slot_)) / slot_.count(); }
  Time start_of(std::int64_t index) const { return time_from_ms(index * slot_.count()); }
  std::size_t position(std::int64_t index) const {
    const std::int64_t length = length_;
    return static_cast<std::size_t>(((index % length) + length) % length);
  }
  Aggregate& at(std::int64_t index) { return slots_[position(index)]; }

  // Empties the slots between the newest one and `index`.
  void move_to(std::int64_t index) {
    if (newest_ == kNone) {
      slots_.resize(length_);
      newest_ = index;
      return;
    }
    const std::int64_t length = length_;
    for (std::int64_t i = std::max(newest_ + 1, index - length + 1); i <= index; ++i) {
      at(i) = Aggregate{};
    }
    newest_ = std::max(newest_, index);
  }

  Duration slot_;
  std::uint32_t length_;
  std::int64_t newest_ = kNone;
  std::vector<Aggregate> slots_;  // empty until something is added
};

}  // namespace rollup::engine
