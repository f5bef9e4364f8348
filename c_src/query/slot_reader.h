// Fills the rows of an answer with what is known of a series: sealed buckets of the history and
// open ones of the engine, from the coarsest tier that tiles the rows, or from a finer one where
// that knows more.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "archive/sealed.h"
#include "base/error.h"
#include "base/time.h"
#include "engine/engine.h"
#include "model/aggregate.h"
#include "model/bucket.h"
#include "model/ids.h"

namespace rollup::query {

struct Slot {
  Time start;
  Time end;
  Aggregate aggregate;
};

class SlotReader {
 public:
  // Reads at most `buckets_max` buckets.
  SlotReader(const engine::Engine& engine, const archive::Sealed& history, SeriesId series,
             const Now& now, std::size_t buckets_max)
      : engine_(engine),
        history_(history),
        series_(series),
        now_(now),
        buckets_left_(buckets_max) {}

  // `slots`: neighbours in ascending order, not empty; `has_local_days`: each is so many whole
  // days. Gives how many of them, from the first on, are filled: fewer than all if buckets_max did
  // not suffice.
  Result<std::size_t> fill(std::span<Slot> slots, bool has_local_days);

  // Whether enough is known of the slot to give its values (SEMANTICS 2.4). After fill().
  bool is_known(const Slot& slot) const;

 private:
  std::vector<Tier> tiers_for(std::span<const Slot> slots, bool has_local_days) const;
  Result<std::size_t> read_tier(Tier tier, std::span<Slot> slots);
  Result<Time> find_beginning(Time to) const;
  Duration expected(const Slot& slot) const;
  bool is_weak(const Slot& slot) const { return slot.aggregate.known * 2 < expected(slot); }

  const engine::Engine& engine_;
  const archive::Sealed& history_;
  SeriesId series_;
  Now now_;
  std::size_t buckets_left_;
  // When the series' first sample came, or the first that is still kept.
  Time began_ = Time::min();
};

}  // namespace rollup::query
