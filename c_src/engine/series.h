// The numbers of one series: recent samples, unsealed buckets, and what sealed buckets were merged
// into. A gauge or a counter (SEMANTICS 2, 3): what a row keeps is all that tells them apart.
//
//   in order     the sample extends the newest bucket; nothing else is touched
//   out of order the sample goes to its place; settle() then makes the buckets from there on anew
//                from the samples, once for any number of late samples
//
// Invariants
// 1. samples ascend in time: all of the unsealed buckets, and the newest one before them, whose
//    value may still be held into them.
// 2. The held value is accounted for up to integrated_ and not beyond; integrated_ is at least the
//    newest sample's time.
// 3. buckets ascend, do not overlap, know only what comes after sealed_until_, and know something.
// 4. What was sealed is in the hour, the day and the rings, and never changes.
// 5. A series at rest has no Active: what remains is of fixed size, and owns no memory.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
#include "base/zone.h"
#include "engine/counter.h"
#include "engine/intervals.h"
#include "engine/plan.h"
#include "engine/ring.h"
#include "engine/rows.h"
#include "model/aggregate.h"
#include "model/bucket.h"
#include "model/effects.h"
#include "model/ids.h"

namespace rollup::engine {

// What a stream says about one field's series; outlives them.
struct Timing {
  Grid fine;
  std::optional<Duration> hold;  // nothing: auto
  bool has_event_time = false;
  Reset reset = Reset::zero;
  std::array<bool, kTierCount> keeps{};  // which tiers the history wants
  Zone zone;
  struct RingShape {
    Grid grid;
    std::uint32_t length = 0;
  };
  std::vector<RingShape> rings;  // ascending slot

  Parts parts() const { return fine.layout.parts(); }
};

class Series {
 public:
  explicit Series(const Timing& timing);

  enum class Taken { newest, late, too_late };

  // A live sample. `newest`: it is the series' newest value now; `late`: it belongs before that,
  // and the series needs settle().
  Taken observe(Time time, double value);

  // Fetches what observe() is going to touch.
  void prefetch() const {
    if (active_ == nullptr) {
      return;
    }
    if (const std::size_t rows = active_->rows.size(); rows > 0) {
      __builtin_prefetch(active_->rows.parts(rows - 1));
      __builtin_prefetch(active_->rows.parts(rows - 1) + 64);
    }
    __builtin_prefetch(active_->samples.data() + active_->samples.size());
  }

  // A retained copy at subscribe: the current value if there is none (SEMANTICS 1.7).
  void observe_retained(double value);

  // Accounts for the held value up to `time`, if that is later than what is accounted for.
  void hold_to(Time time);

  struct Span {
    Time start;
    Time end;
  };
  struct Settled {
    std::vector<Span> changed;  // buckets that changed, were added or vanished; ascending
    // The first sample until now, if there is an earlier one: windows around it have a longer time
    // to be covered, whatever changed in them (SEMANTICS 2.4).
    std::optional<Time> began;
  };
  // Makes buckets that late samples touched anew. A bucket that was published already and changed
  // gets the next rev.
  Settled settle();

  // Buckets that end at or before `end` count as published: rev 1. Those before the newest one that
  // does already are looked at from `made_anew` on only, where settle() may have added some.
  void publish_to(Time end, Time made_anew = Time::max());

  // Seals the buckets that end at or before `end`: into the rings and tiers, and out as effects.
  void seal_to(Time end, SeriesId id, Effects& effects);

  // -- reading; settle() first, where a late sample may be waiting --

  // Everything known of [start, end): sealed and not, with the held value counted to
  // min(end, now). `slot`: the ring to read; start and end are multiples of it, but an end in the
  // unsealed part may be any time.
  Aggregate window(Time start, Time end, Duration slot, Time now) const;
  // What is known of the last `over` up to `now`, from the beginning of a bucket on. What is sealed
  // is merged once for each beginning and each seal, not each time.
  Aggregate recent(Duration over, Time now) const;
  // Whether something of that window counts as published.
  bool was_published(Time start, Time end, Duration slot) const;

  std::vector<Bucket> open_fine(Time from, Time to, Time now) const;
  // The unsealed hour and day buckets.
  std::vector<Bucket> open_coarse(Tier tier, Time from, Time to, Time now) const;
  std::span<const Point> samples() const { return active().samples; }

  // The value held at `time`: that of the newest sample before it (at it, if `inclusive`), if it
  // still counts.
  std::optional<double> held_at(Time time, bool inclusive) const;
  // What comes at or after this time is not known yet. There must be a sample.
  Time known_until() const;
  // Until when the newest value counts, if there was a sample.
  std::optional<Time> held_until() const;
  Duration hold() const { return timing_->hold ? *timing_->hold : intervals_.hold(); }

  bool has_sample() const { return count_ > 0; }
  bool needs_settle() const { return dirty_from_ != kClean; }
  // Nothing left that time could change: no unsealed bucket of any tier, no value still held.
  bool is_quiet() const;
  // Time passes it by from now on, until hold_to() and seal_to() catch up. It must be quiet, and
  // nobody may want to read what was sealed: all of it but the newest value is given back.
  void rest();
  std::uint64_t count() const { return count_; }
  int decimals() const { return decimals_; }
  Time began() const { return began_; }
  Time last_time() const { return last_.time; }
  double last_value() const { return last_.value; }
  const std::optional<double>& retained() const { return retained_; }
  Time sealed_until() const { return sealed_until_; }
  Parts parts() const { return timing_->parts(); }

 private:
  friend class SeriesCodec;

  // A time that no sample has.
  static constexpr Time kClean = Time::max();

  // What was merged of the sealed slots from `start` on, while nothing more is sealed.
  struct Merged {
    Duration over{};
    Time start;
    Time sealed_until;
    Aggregate known;
  };

  // The hour or day that sealed buckets are merged into; no row: nothing of it is known yet.
  struct Coarse {
    Time start;
    Time end;
    std::vector<std::byte> row;
  };

  // What only a series needs that time can change.
  struct Active {
    explicit Active(const Timing& timing) : rows(timing.fine) {}

    std::vector<Point> samples;
    Rows rows;  // the unsealed buckets
    std::vector<Ring> rings;
    Coarse hour;
    Coarse day;
    // Of the first sample before late ones, until settle().
    std::optional<Time> began_before;
    mutable std::vector<Merged> merged;  // only spares work
  };

  // Of a counter.
  struct Counted {
    Counter::State now;     // after the newest sample
    Counter::State sealed;  // after the newest one that is sealed
  };

  bool is_counter() const { return counted_ != nullptr; }
  const Active& active() const;
  Active& activate();

  void add_sample(Rows& rows, Time time, double value);
  // Adds `value` held over [from, to).
  void add_held(Rows& rows, double value, Time from, Time to) const;
  Taken insert(Time time, double value);
  // After the buckets from `first` on were made anew from `old`: what settle() returns.
  std::vector<Span> take_revs(const Rows& old, std::size_t first);
  Aggregate sealed_window(Time start, Time end, Duration slot) const;
  // Adds what is known of [start, end) and not sealed.
  void add_open(Aggregate& known, Time start, Time end, Time now) const;
  Coarse& coarse(Tier tier) const { return tier == Tier::hour ? active_->hour : active_->day; }
  // What is sealed of the tier's newest bucket, if anything is known of it.
  std::optional<Bucket> coarse_bucket(Tier tier) const;
  void put_coarse(Tier tier, const Bucket& bucket);
  void close_tiers(Time end, SeriesId id, Effects& effects);
  std::pair<Time, Time> tier_bounds(Tier tier, Time time) const;
  void note_decimals(double value);

  const Timing* timing_;
  Point last_{};
  std::uint64_t count_ = 0;
  Time integrated_{};
  Time sealed_until_ = time_from_ms(0);
  Time dirty_from_ = kClean;
  double decimal_scale_ = 1;
  int decimals_ = 0;
  Time began_{};
  std::optional<double> retained_;
  Intervals intervals_;
  std::unique_ptr<Active> active_;
  std::unique_ptr<Counted> counted_;
};

}  // namespace rollup::engine
