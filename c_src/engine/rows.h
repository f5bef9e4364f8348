// Rows of one size side by side, ascending in time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/time.h"
#include "engine/layout.h"
#include "model/bucket.h"

namespace rollup::engine {

// Rows of this layout, each as long as `slot` and aligned to the epoch.
struct Grid {
  Layout layout{kGaugeParts};
  Duration slot{std::chrono::minutes(1)};

  std::int64_t index_of(Time time) const { return to_ms(floor_to(time, slot)) / slot.count(); }
  Time start_of(std::int64_t index) const { return time_from_ms(index * slot.count()); }
};

// Only those that were asked for, as buckets are. Positions count from the oldest one.
class Rows {
 public:
  // Must outlive it.
  explicit Rows(const Grid& grid) : grid_(&grid) {}

  bool empty() const { return bytes_.empty(); }
  std::size_t size() const { return bytes_.size() / stride(); }

  Time start(std::size_t at) const { return grid_->start_of(head(at).index); }
  Time end(std::size_t at) const { return start(at) + grid_->slot; }
  std::uint32_t rev(std::size_t at) const { return head(at).rev; }
  void set_rev(std::size_t at, std::uint32_t rev) {
    Head changed = head(at);
    changed.rev = rev;
    std::memcpy(bytes_.data() + at * stride(), &changed, sizeof changed);
  }
  std::byte* parts(std::size_t at) { return bytes_.data() + at * stride() + sizeof(Head); }
  const std::byte* parts(std::size_t at) const {
    return bytes_.data() + at * stride() + sizeof(Head);
  }
  Aggregate aggregate(std::size_t at) const { return grid_->layout.load(parts(at), start(at)); }
  Bucket bucket(std::size_t at) const { return {start(at), end(at), rev(at), aggregate(at)}; }

  // The row of `time`, which is in or after the last one.
  std::size_t at(Time time) {
    if (empty() || time >= end(size() - 1)) {
      bytes_.resize(bytes_.size() + stride());
      const Head added{static_cast<std::uint32_t>(grid_->index_of(time)), 0};
      std::memcpy(bytes_.data() + bytes_.size() - stride(), &added, sizeof added);
      grid_->layout.clear(parts(size() - 1));
    }
    return size() - 1;
  }
  void push_back(const Bucket& bucket) {
    const std::size_t added = at(bucket.start);
    set_rev(added, bucket.rev);
    grid_->layout.store(parts(added), bucket.aggregate, bucket.start);
  }

  // The first row that starts at or after `time`.
  std::size_t lower_bound(Time time) const {
    std::size_t low = 0;
    for (std::size_t high = size(); low < high;) {
      const std::size_t middle = low + (high - low) / 2;
      if (start(middle) < time) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  // Takes the rows from `at` on out of this.
  Rows split(std::size_t at) {
    Rows tail(*grid_);
    const auto from = bytes_.begin() + static_cast<std::ptrdiff_t>(at * stride());
    tail.bytes_.assign(from, bytes_.end());
    bytes_.erase(from, bytes_.end());
    return tail;
  }
  void erase_first(std::size_t count) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(count * stride()));
  }

  bool is_same(std::size_t at, const Rows& other, std::size_t other_at) const {
    return std::memcmp(parts(at), other.parts(other_at), grid_->layout.size()) == 0;
  }

 private:
  struct Head {
    std::uint32_t index = 0;  // slots since the epoch
    std::uint32_t rev = 0;
  };

  std::size_t stride() const { return sizeof(Head) + grid_->layout.size(); }
  Head head(std::size_t at) const {
    Head found;
    std::memcpy(&found, bytes_.data() + at * stride(), sizeof found);
    return found;
  }

  const Grid* grid_;
  std::vector<std::byte> bytes_;
};

}  // namespace rollup::engine
