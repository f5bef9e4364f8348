// What is due when, in uptime. One entry per owner at most: an owner that moves its time later
// keeps its entry and looks again when that comes up, so moving a timer with every sample costs
// nothing.
#pragma once

#include <cstdint>
#include <set>

#include "base/time.h"

namespace rollup::engine {

inline constexpr Duration kNever = Duration::max();

// Kept by the owner of a timer.
struct Due {
  Duration at = kNever;         // when it wants to be called
  Duration scheduled = kNever;  // when it will be called: never later than `at`
};

class Timers {
 public:
  enum class Kind : std::uint8_t { alert, output };
  struct Entry {
    Duration at;
    Kind kind = Kind::alert;
    std::uint32_t owner = 0;   // instance, or series
    std::uint32_t output = 0;  // of the series
    // Ties in a fixed order, for equal effects.
    // clang-tidy 14 takes the 0 that a defaulted <=> compares with for a pointer.
    // NOLINTNEXTLINE(modernize-use-nullptr)
    friend auto operator<=>(const Entry&, const Entry&) = default;
  };

  // Wants to be called at `at`.
  void set(Due& due, Duration at, Kind kind, std::uint32_t owner, std::uint32_t output = 0) {
    due.at = at;
    if (at >= due.scheduled) {
      return;
    }
    if (due.scheduled != kNever) {
      entries_.erase({due.scheduled, kind, owner, output});
    }
    due.scheduled = at;
    entries_.insert({at, kind, owner, output});
  }

  bool empty() const { return entries_.empty(); }
  Duration next() const { return entries_.empty() ? kNever : entries_.begin()->at; }
  Entry pop() {
    const Entry entry = *entries_.begin();
    entries_.erase(entries_.begin());
    return entry;
  }

  // For the entry that was just popped: whether its owner is to be called now. If the owner's time
  // has moved, it is scheduled again.
  bool accept(Due& due, const Entry& entry) {
    due.scheduled = kNever;
    if (due.at > entry.at) {
      if (due.at != kNever) {
        set(due, due.at, entry.kind, entry.owner, entry.output);
      }
      return false;
    }
    due.at = kNever;
    return true;
  }

 private:
  std::set<Entry> entries_;
};

}  // namespace rollup::engine
