// Sealed fine buckets merged into the slots of a grid, the newest `length` of them. A slot keeps
// the parts of the grid's layout.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "engine/rows.h"
#include "model/aggregate.h"

namespace rollup::engine {

// Times must not go back between calls of add(). The grid must outlive it.
class Ring {
 public:
  Ring(const Grid& grid, std::uint32_t length) : grid_(&grid), length_(length) {}

  Duration slot() const { return grid_->slot; }

  // Merges a stretch that lies within one slot.
  void add(Time start, const Aggregate& aggregate) {
    const std::int64_t index = grid_->index_of(start);
    move_to(index);
    const Time slot_start = grid_->start_of(index);
    Aggregate slot = grid_->layout.load(row(index), slot_start);
    slot.merge(aggregate);
    grid_->layout.store(row(index), slot, slot_start);
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
    std::int64_t index =
        std::max(grid_->index_of(ceil_to(from, grid_->slot)), newest_ - length + 1);
    for (; index <= newest_; ++index) {
      const Time start = grid_->start_of(index);
      if (start >= to) {
        return;
      }
      if (!grid_->layout.is_empty(row(index))) {
        each(start, grid_->layout.load(row(index), start));
      }
    }
  }

 private:
  static constexpr std::int64_t kNone = INT64_MIN;

  std::size_t position(std::int64_t index) const {
    const std::int64_t length = length_;
    return static_cast<std::size_t>(((index % length) + length) % length);
  }
  std::byte* row(std::int64_t index) {
    return bytes_.data() + position(index) * grid_->layout.size();
  }
  const std::byte* row(std::int64_t index) const {
    return bytes_.data() + position(index) * grid_->layout.size();
  }

  // Empties the slots between the newest one and `index`.
  void move_to(std::int64_t index) {
    if (newest_ == kNone) {
      bytes_.resize(length_ * grid_->layout.size());
      for (std::int64_t i = 0; i < length_; ++i) {
        grid_->layout.clear(row(i));
      }
      newest_ = index;
      return;
    }
    const std::int64_t length = length_;
    for (std::int64_t i = std::max(newest_ + 1, index - length + 1); i <= index; ++i) {
      grid_->layout.clear(row(i));
    }
    newest_ = std::max(newest_, index);
  }

  const Grid* grid_;
  std::uint32_t length_;
  std::int64_t newest_ = kNone;
  std::vector<std::byte> bytes_;  // empty until something is added
};

}  // namespace rollup::engine
